-- Attempts of the sweep for the timeline, earliest first, at most $2. Times are those of the workers' clocks.
WITH mine AS (
    SELECT a.task_id, a.attempt, a.slot, t.kind, t.label, a.outcome::text AS outcome, a.failure::text AS failure, a.message,
           a.worker_id, coalesce(w.node, '') AS node, a.charged,
           coalesce(a.started_at, a.finished_at, a.recorded_at) AS started,
           coalesce(a.finished_at, a.recorded_at) AS finished
    FROM acsweep.sweep_task st
    JOIN acsweep.task t USING (task_id)
    JOIN acsweep.attempt a USING (task_id)
    LEFT JOIN acsweep.worker w ON w.worker_id = a.worker_id
    WHERE st.sweep_id = $1::bigint AND NOT st.cached)
SELECT mine.task_id, mine.attempt, mine.slot, mine.kind, mine.label, mine.outcome, mine.failure, mine.message,
       mine.worker_id, mine.node, mine.charged,
       extract(epoch FROM mine.started - min(mine.started) OVER ())::double precision AS start_seconds,
       extract(epoch FROM mine.finished - min(mine.started) OVER ())::double precision AS end_seconds,
       count(*) OVER () AS total
FROM mine
ORDER BY mine.started, mine.task_id, mine.attempt
LIMIT $2::bigint
