-- The ends of a batch of attempts: each task moves on, once. A stale token (another attempt, another epoch, no longer
-- leased) touches no row, and the count then rolls the batch back; attempt_insert.sql writes their history beside it.
-- $1 rows; texts that repeat ($6, $8) travel once and rows point to them ($5, $7). Subscripts and not unnest(): each
-- unnested array is spooled by itself, which had cost more than the update.
UPDATE task t
   SET state = a.next_state, charged = a.charged, worker_id = NULL, reason = a.reason, cancel_wanted = false,
       ended_at = CASE WHEN a.next_state = 'pending' THEN NULL ELSE now() END
  FROM (SELECT ($2::bigint[])[i] AS task_id, ($3::int[])[i] AS attempt, ($4::bigint[])[i] AS epoch,
               ($6::task_state[])[($5::int[])[i]] AS next_state, ($8::text[])[($7::int[])[i]] AS reason,
               ($9::int[])[i] AS charged
          FROM generate_series(1, $1::int) i) a
 WHERE t.task_id = a.task_id AND t.attempt = a.attempt AND t.lease_epoch = a.epoch AND t.state = 'leased';
