-- A sweep that is submitted again tries again what had failed or been cancelled of it, chosen fine-tunes included.
UPDATE task t SET state = 'pending', charged = 0, ended_at = NULL, reason = 'submitted again'
  FROM sweep_task st
 WHERE st.sweep_id = $1::bigint AND t.task_id = st.task_id AND t.state IN ('failed', 'cancelled')
RETURNING t.task_id;
