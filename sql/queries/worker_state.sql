-- A worker's state changed.
UPDATE worker SET state = $2::text, reason = $3::text, changed_at = now() WHERE worker_id = $1::text;
