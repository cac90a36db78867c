-- A benchmark by name.
INSERT INTO benchmark (name, metric, questions, maximum)
VALUES ($1::text, $2::text, nullif($3::bigint, 0), nullif($4::float8, 0))
ON CONFLICT (name) DO UPDATE SET metric = excluded.metric, questions = coalesce(excluded.questions, benchmark.questions),
                                 maximum = coalesce(excluded.maximum, benchmark.maximum)
RETURNING benchmark_id;
