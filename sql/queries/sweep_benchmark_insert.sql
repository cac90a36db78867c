-- A benchmark of a sweep.
INSERT INTO sweep_benchmark (sweep_id, benchmark_id, position, weight, correspondence_set_id)
VALUES ($1::bigint, $2::bigint, $3::int, $4::float8, $5::bigint)
ON CONFLICT (sweep_id, benchmark_id) DO UPDATE
   SET position = excluded.position, weight = excluded.weight, correspondence_set_id = excluded.correspondence_set_id;
