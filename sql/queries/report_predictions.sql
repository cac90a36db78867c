-- What the policy expects of each representation on each benchmark, in the benchmark's unit: in the latest round, with its
-- place in the ranking there, and in the round that chose it, which is before it was measured.
SELECT p.representation_id, p.benchmark_id,
       max(p.mean) FILTER (WHERE p.round = latest.round) AS mean,
       max(p.rank) FILTER (WHERE p.round = latest.round) AS rank,
       max(p.mean) FILTER (WHERE p.round = pc.round) AS before_mean,
       max(p.sd) FILTER (WHERE p.round = pc.round) AS before_sd
FROM acsweep.policy_prediction p
JOIN (SELECT benchmark_id, max(round) AS round FROM acsweep.policy_prediction WHERE sweep_id = $1::bigint GROUP BY benchmark_id)
     latest USING (benchmark_id)
LEFT JOIN acsweep.policy_choice pc
       ON pc.sweep_id = p.sweep_id AND pc.representation_id = p.representation_id AND pc.round = p.round
WHERE p.sweep_id = $1::bigint AND p.benchmark_id <> 0 AND (p.round = latest.round OR p.round = pc.round)
GROUP BY p.representation_id, p.benchmark_id
