-- What happened, for people and for the history checker.
INSERT INTO event (kind, task_id, attempt, epoch, worker_id, detail)
SELECT kind, nullif(task_id, 0), nullif(attempt, 0), nullif(epoch, 0), nullif(worker_id, ''),
       jsonb_build_object('text', text)
  FROM unnest($1::text[], $2::bigint[], $3::int[], $4::bigint[], $5::text[], $6::text[])
       AS a(kind, task_id, attempt, epoch, worker_id, text);
