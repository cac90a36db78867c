-- The artifacts of a sweep's finished tasks that others may need: nothing reads a score's or a benchmark's.
SELECT a.task_id, a.name, a.digest, a.bytes, l.store, l.path, a.content
  FROM sweep_task st JOIN task t USING (task_id) JOIN artifact a USING (task_id) JOIN artifact_location l USING (artifact_id)
 WHERE st.sweep_id = $1::bigint AND t.kind NOT IN ('score_a', 'score_c', 'evaluate') ORDER BY a.artifact_id;
