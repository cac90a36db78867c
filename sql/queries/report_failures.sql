-- Tasks that failed for good or needed another attempt, the worst first, at most $2.
SELECT t.label, t.kind, t.state::text AS state, last.failure::text AS failure,
       coalesce(nullif(last.message, ''), t.reason) AS message, last.worker_id, tries.n AS attempts, tries.charged
FROM acsweep.sweep_task st
JOIN acsweep.task t USING (task_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE a.charged) AS charged FROM acsweep.attempt a WHERE a.task_id = t.task_id) tries
LEFT JOIN LATERAL (
    SELECT a.failure, a.message, a.worker_id FROM acsweep.attempt a
    WHERE a.task_id = t.task_id AND a.outcome <> 'succeeded'
    ORDER BY a.attempt DESC LIMIT 1) last ON true
WHERE st.sweep_id = $1::bigint AND NOT st.cached AND (t.state = 'failed' OR last.failure IS NOT NULL)
ORDER BY t.state = 'failed' DESC, tries.n DESC, t.task_id
LIMIT $2::bigint
