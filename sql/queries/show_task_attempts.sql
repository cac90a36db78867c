-- The history of a task.
SELECT a.attempt, a.outcome::text AS outcome, nullif(a.failure::text, 'none') AS failure, a.charged,
       coalesce(w.node, a.worker_id) AS node, a.slot, round(a.wall_seconds::numeric, 3) AS seconds,
       to_char(a.finished_at, 'YYYY-MM-DD HH24:MI:SS') AS finished, nullif(a.message, '') AS message
FROM attempt a LEFT JOIN worker w USING (worker_id)
WHERE a.task_id = $1::bigint
ORDER BY a.attempt
