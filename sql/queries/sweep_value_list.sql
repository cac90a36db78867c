-- The scores and performances of a sweep that are known.
SELECT m.task_id, m.value
  FROM sweep_task st JOIN task t USING (task_id) JOIN metric m USING (task_id)
 WHERE st.sweep_id = $1::bigint AND t.state = 'done'
   AND m.name = CASE t.kind WHEN 'score_a' THEN 'a' WHEN 'score_c' THEN 'c' WHEN 'evaluate' THEN 'performance' END;
