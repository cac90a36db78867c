-- Another config under the same name: what the old plan recorded in policy_prediction goes; results stay.
DELETE FROM policy_prediction WHERE sweep_id = $1::bigint;
