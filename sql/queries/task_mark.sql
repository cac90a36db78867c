-- Moves without an attempt: cancelled before it started, failed because an input failed, tried again by request. What
-- is to be tried again may be pending already: a submission revives in its own transaction.
UPDATE task t
   SET state = a.next_state::task_state, reason = a.reason,
       charged = CASE WHEN a.next_state = 'pending' THEN 0 ELSE t.charged END,
       ended_at = CASE WHEN a.next_state = 'pending' THEN NULL ELSE now() END
  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS a(task_id, from_state, next_state, reason)
 WHERE t.task_id = a.task_id AND (t.state = a.from_state::task_state OR (t.state = 'pending' AND a.next_state = 'pending'));
