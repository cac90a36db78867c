-- Another config under the same name: what the old plan recorded in policy_round goes; results stay.
DELETE FROM policy_round WHERE sweep_id = $1::bigint;
