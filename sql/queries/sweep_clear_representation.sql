-- Another config under the same name: what the old plan recorded in sweep_representation goes; results stay.
DELETE FROM sweep_representation WHERE sweep_id = $1::bigint;
