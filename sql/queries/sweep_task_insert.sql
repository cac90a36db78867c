-- The tasks of a sweep.
INSERT INTO sweep_task (sweep_id, task_id, round, cached)
SELECT $1::bigint, a.task_id, $4::int, a.cached FROM unnest($2::bigint[], $3::boolean[]) AS a(task_id, cached)
ON CONFLICT DO NOTHING;
