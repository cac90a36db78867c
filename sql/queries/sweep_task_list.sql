-- The tasks of a sweep as they stand.
SELECT t.identity, t.task_id, t.state::text, t.attempt, t.lease_epoch, t.charged, coalesce(t.worker_id, ''), st.round,
       st.cached, t.cancel_wanted
  FROM sweep_task st JOIN task t USING (task_id) WHERE st.sweep_id = $1::bigint;
