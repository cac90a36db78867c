-- Predictions of a round for one benchmark (0 = the target).
INSERT INTO policy_prediction (sweep_id, round, benchmark_id, representation_id, mean, sd, rank)
SELECT $1::bigint, $2::int, $3::bigint, a.* FROM unnest($4::bigint[], $5::float8[], $6::float8[], $7::int[])
       AS a(representation_id, mean, sd, rank);
