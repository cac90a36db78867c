-- Another config under the same name: what the old plan recorded in sweep_task goes; results stay.
DELETE FROM sweep_task WHERE sweep_id = $1::bigint;
