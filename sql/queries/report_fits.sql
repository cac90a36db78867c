-- Every stored fit of the law.
SELECT round, benchmark_id, n_train, r2, r2_adjusted, r2_loo, spearman, intercept, coef_a, coef_c, coef_a2, coef_ac, coef_c2
FROM acsweep.policy_fit
WHERE sweep_id = $1::bigint
ORDER BY round, benchmark_id
