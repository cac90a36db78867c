-- Another look at a sweep's content: what earlier ones found is no longer part of it.
DELETE FROM sweep_task st USING task t
 WHERE st.sweep_id = $1::bigint AND t.task_id = st.task_id AND t.kind = 'identify';
