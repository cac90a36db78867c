-- Each worker once, those that are here first.
SELECT worker_id AS worker, node, state, slots, cpus, round(memory_bytes / 1073741824.0, 1) AS "memory GiB", gpus,
       max(running) AS running, sum(succeeded)::bigint AS succeeded, sum(unsuccessful)::bigint AS unsuccessful,
       round(sum(busy_seconds)::numeric, 1) AS "busy s", nullif(reason, '') AS reason
FROM workers
GROUP BY worker_id, node, state, slots, cpus, memory_bytes, gpus, reason, joined_at
ORDER BY state IN ('left', 'lost'), joined_at DESC, worker_id
