-- The outcomes of a batch of attempts, once each: the task moves on and the attempt becomes history. A stale token
-- (another attempt, another epoch, no longer leased) touches no row, and the count then rolls the batch back.
WITH arg AS (
    SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[], $5::int[], $6::text[], $7::int[], $8::text[],
                         $9::text[], $10::text[], $11::boolean[], $12::text[], $13::bigint[], $14::bigint[],
                         $15::float8[], $16::float8[], $17::float8[], $18::float8[], $19::bigint[], $20::bigint[])
           AS a(task_id, attempt, epoch, next_state, charged_total, worker_id, slot, devices, outcome, failure, charged,
                message, started_us, finished_us, wall, gpu, cpu, energy, rss, gpu_bytes)
), ended AS (
    UPDATE task t
       SET state = a.next_state::task_state, charged = a.charged_total, worker_id = NULL,
           ended_at = CASE WHEN a.next_state = 'pending' THEN NULL ELSE now() END,
           reason = a.message
      FROM arg a
     WHERE t.task_id = a.task_id AND t.attempt = a.attempt AND t.lease_epoch = a.epoch AND t.state = 'leased'
    RETURNING a.*
)
INSERT INTO attempt (task_id, attempt, epoch, worker_id, slot, devices, outcome, failure, charged, message, started_at,
                     finished_at, wall_seconds, gpu_seconds, cpu_seconds, energy_joules, max_rss_bytes, max_gpu_bytes)
SELECT task_id, attempt, epoch, worker_id, slot, string_to_array(devices, ','), outcome::attempt_outcome,
       failure::failure_class, charged, message, to_timestamp(nullif(started_us, 0) / 1e6),
       to_timestamp(nullif(finished_us, 0) / 1e6), wall, gpu, cpu, nullif(energy, 0), nullif(rss, 0), nullif(gpu_bytes, 0)
  FROM ended;
