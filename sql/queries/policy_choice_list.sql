-- What the policy chose, in order.
SELECT round, representation_id FROM policy_choice WHERE sweep_id = $1::bigint ORDER BY round, position;
