-- Another config under the same name: what the old plan recorded in policy_fit goes; results stay.
DELETE FROM policy_fit WHERE sweep_id = $1::bigint;
