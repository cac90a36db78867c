-- How an attempt ended that memory no longer knows: a worker sends its result again after an acknowledgement was lost.
SELECT outcome::text FROM attempt WHERE task_id = $1::bigint AND attempt = $2::int AND epoch = $3::bigint;
