-- Another config under the same name: what the old plan recorded in policy_choice goes; results stay.
DELETE FROM policy_choice WHERE sweep_id = $1::bigint;
