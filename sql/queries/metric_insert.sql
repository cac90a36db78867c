-- Metrics of the successes of a batch.
INSERT INTO metric (task_id, name, value)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::float8[]);
