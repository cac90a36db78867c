-- The history of $1 attempts that task_end.sql ends in the same transaction. Texts that repeat travel once, as there.
INSERT INTO attempt (task_id, attempt, epoch, worker_id, devices, outcome, failure, message, charged, slot, started_at,
                     finished_at, wall_seconds, gpu_seconds, cpu_seconds, energy_joules, max_rss_bytes, max_gpu_bytes)
SELECT ($2::bigint[])[i], ($3::int[])[i], ($4::bigint[])[i], ($6::text[])[($5::int[])[i]],
       string_to_array(($8::text[])[($7::int[])[i]], ','), ($10::attempt_outcome[])[($9::int[])[i]],
       ($12::failure_class[])[($11::int[])[i]], ($14::text[])[($13::int[])[i]], ($15::boolean[])[i], ($16::int[])[i],
       to_timestamp(nullif(($17::bigint[])[i], 0) / 1e6::float8), to_timestamp(nullif(($18::bigint[])[i], 0) / 1e6::float8),
       ($19::float8[])[i], ($20::float8[])[i], ($21::float8[])[i], nullif(($22::float8[])[i], 0),
       nullif(($23::bigint[])[i], 0), nullif(($24::bigint[])[i], 0)
  FROM generate_series(1, $1::int) i;
