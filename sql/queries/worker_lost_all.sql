-- At take-over nobody has joined the new leader yet.
UPDATE worker SET state = 'silent', changed_at = now(), reason = 'a new leader took over'
 WHERE state IN ('joined', 'draining');
