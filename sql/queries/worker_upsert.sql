-- A worker joined, or changed its state.
INSERT INTO worker (worker_id, node, boot_id, version, cpus, memory_bytes, slots, labels, executors, shared_store, state,
                    public_key)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::int, $6::bigint, $7::int, $8::jsonb, $9::text[], $10::boolean, 'joined',
        $11::text)
ON CONFLICT (worker_id) DO UPDATE
   SET node = excluded.node, version = excluded.version, cpus = excluded.cpus, memory_bytes = excluded.memory_bytes,
       slots = excluded.slots, labels = excluded.labels, executors = excluded.executors,
       shared_store = excluded.shared_store, public_key = excluded.public_key, state = 'joined', changed_at = now(), reason = '';
