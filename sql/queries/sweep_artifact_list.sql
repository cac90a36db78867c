-- The artifacts of a sweep's finished tasks.
SELECT a.task_id, a.name, a.digest, a.bytes, l.store, l.path, a.content
  FROM sweep_task st JOIN artifact a USING (task_id) JOIN artifact_location l USING (artifact_id)
 WHERE st.sweep_id = $1::bigint ORDER BY a.artifact_id;
