-- A batch of $1 leases, durable before any of them is sent. Each raises the attempt by one. Arrays as in task_end.sql.
UPDATE task t
   SET state = 'leased', attempt = a.attempt, lease_epoch = $6::bigint, worker_id = a.worker_id, leased_at = now()
  FROM (SELECT ($2::bigint[])[i] AS task_id, ($3::int[])[i] AS attempt, ($5::text[])[($4::int[])[i]] AS worker_id
          FROM generate_series(1, $1::int) i) a
 WHERE t.task_id = a.task_id AND t.attempt = a.attempt - 1 AND t.state = 'pending';
