-- A sweep that is submitted again tries again what had failed or been cancelled.
UPDATE task SET state = 'pending', charged = 0, ended_at = NULL, reason = 'submitted again'
 WHERE task_id = ANY ($1::bigint[]) AND state IN ('failed', 'cancelled');
