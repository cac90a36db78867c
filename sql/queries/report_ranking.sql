-- The target's ranking in the latest round that has one.
SELECT p.representation_id, p.mean, p.sd, p.rank
FROM acsweep.policy_prediction p
WHERE p.sweep_id = $1::bigint AND p.benchmark_id = 0
  AND p.round = (SELECT max(q.round) FROM acsweep.policy_prediction q WHERE q.sweep_id = $1::bigint AND q.benchmark_id = 0)
ORDER BY p.rank, p.representation_id
