-- The rounds of a sweep.
SELECT round, state, note FROM policy_round WHERE sweep_id = $1::bigint ORDER BY round;
