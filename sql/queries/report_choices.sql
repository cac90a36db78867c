-- What each round chose, and why.
SELECT round, position, representation_id, value, reason
FROM acsweep.policy_choice
WHERE sweep_id = $1::bigint
ORDER BY round, position
