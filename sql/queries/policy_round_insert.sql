-- A round of the policy.
INSERT INTO policy_round (sweep_id, round, mode, observations, state, note, finished_at)
VALUES ($1::bigint, $2::int, $3::text, $4::text, $5::text, $6::text, CASE WHEN $5::text = 'final' THEN now() END);
