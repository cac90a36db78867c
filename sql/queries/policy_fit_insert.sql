-- The law of one benchmark as fitted in a round.
INSERT INTO policy_fit (sweep_id, round, benchmark_id, n_train, r2, r2_adjusted, r2_loo, spearman, intercept, coef_a, coef_c,
                        coef_a2, coef_ac, coef_c2)
SELECT $1::bigint, $2::int, $3::bigint, $4::int, v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10]
  FROM (SELECT $5::float8[] AS v) AS a;
