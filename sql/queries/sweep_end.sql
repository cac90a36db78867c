-- A sweep ends.
UPDATE sweep SET state = $2::text::sweep_state, finished_at = now(), reason = $3::text WHERE sweep_id = $1::bigint;
