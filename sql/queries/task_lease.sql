-- A batch of leases, durable before any of them is sent. Each raises the attempt by one.
UPDATE task t
   SET state = 'leased', attempt = a.attempt, lease_epoch = $4::bigint, worker_id = a.worker_id, leased_at = now()
  FROM unnest($1::bigint[], $2::int[], $3::text[]) AS a(task_id, attempt, worker_id)
 WHERE t.task_id = a.task_id AND t.attempt = a.attempt - 1 AND t.state = 'pending';
