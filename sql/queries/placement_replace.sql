-- Why the ready tasks of a shape wait, as the scheduler last said.
INSERT INTO placement (shape, reason, tasks) VALUES ($1::text, $2::text, $3::bigint)
ON CONFLICT (shape) DO UPDATE SET reason = excluded.reason, tasks = excluded.tasks, since = now();
