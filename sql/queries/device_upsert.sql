-- A device of a worker.
INSERT INTO device (worker_id, uuid, name, memory_bytes, compute_capability, state)
VALUES ($1::text, $2::text, $3::text, $4::bigint, $5::int, $6::text)
ON CONFLICT (worker_id, uuid) DO UPDATE SET state = excluded.state;
