-- Charged failures of a sweep's unfinished tasks, by class.
SELECT a.task_id, a.failure::text, count(*)
  FROM sweep_task st JOIN task t USING (task_id) JOIN attempt a USING (task_id)
 WHERE st.sweep_id = $1::bigint AND a.charged AND t.charged > 0 AND t.state IN ('pending', 'leased')
 GROUP BY 1, 2;
