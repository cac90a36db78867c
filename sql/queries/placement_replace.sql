-- Why the ready tasks of a shape (executor and resources) wait, as the scheduler last said; an empty reason clears it.
WITH arg AS (SELECT $1::text || ' ' || $2::text AS shape, $3::text AS reason, $4::bigint AS tasks),
     gone AS (DELETE FROM placement p USING arg WHERE p.shape = arg.shape AND arg.reason = '')
INSERT INTO placement (shape, reason, tasks) SELECT shape, reason, tasks FROM arg WHERE reason <> ''
ON CONFLICT (shape) DO UPDATE SET reason = excluded.reason, tasks = excluded.tasks, since = now();
