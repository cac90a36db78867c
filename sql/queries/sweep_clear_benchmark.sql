-- Another config under the same name: what the old plan recorded in sweep_benchmark goes; results stay.
DELETE FROM sweep_benchmark WHERE sweep_id = $1::bigint;
