-- One task in words: what it is, how it stands, and why.
SELECT t.task_id AS task, t.label, t.kind, t.executor, t.state::text AS state,
       CASE
           WHEN t.state = 'done' AND EXISTS (SELECT 1 FROM sweep_task st WHERE st.task_id = t.task_id AND st.cached)
               THEN 'done; a later submission found it in the cache'
           WHEN t.state = 'leased' THEN 'given to worker ' || t.worker_id || ' as attempt ' || t.attempt
           WHEN t.state = 'pending'
               THEN coalesce((SELECT w.reason FROM why_waiting w WHERE w.task_id = t.task_id LIMIT 1), 'ready')
           ELSE nullif(t.reason, '')
       END AS why,
       (SELECT string_agg(s.name, ', ' ORDER BY s.sweep_id) FROM sweep_task st JOIN sweep s USING (sweep_id)
        WHERE st.task_id = t.task_id) AS sweeps,
       (SELECT string_agg(m.name || ' = ' || m.value, ', ' ORDER BY m.name) FROM metric m
        WHERE m.task_id = t.task_id) AS metrics,
       t.identity, t.params ->> 'identity' AS parameters
FROM task t
WHERE t.task_id = $1::bigint
