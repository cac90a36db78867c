-- The benchmarks of the sweep in its order.
SELECT b.benchmark_id, b.name, b.metric, b.questions, b.maximum, sb.weight
FROM acsweep.sweep_benchmark sb JOIN acsweep.benchmark b USING (benchmark_id)
WHERE sb.sweep_id = $1::bigint
ORDER BY sb.position, b.benchmark_id
