-- The same for programs, with all digits: predicted and measured are the target, from 0, the worst measured, to 1.
WITH cell AS (
    SELECT r.name AS representation, m.benchmark_id, m.value, sb.weight, min(m.value) OVER alike AS low, max(m.value) OVER alike AS high
    FROM measured m
    JOIN sweep_benchmark sb USING (sweep_id, benchmark_id)
    JOIN representation r USING (representation_id)
    WHERE m.sweep = $1::text AND sb.weight > 0
    WINDOW alike AS (PARTITION BY m.benchmark_id)),
target AS (
    SELECT representation, sum(weight * coalesce((value - low) / nullif(high - low, 0), 0) ORDER BY benchmark_id)
                           / sum(weight ORDER BY benchmark_id) AS value
    FROM cell GROUP BY representation)
SELECT k.rank, k.representation, CASE WHEN k.is_measured THEN t.value END AS measured, k.predicted, k.predicted_sd,
       k.measured_percent, k.is_measured, k.round, k.members
FROM ranking k LEFT JOIN target t USING (representation)
WHERE k.sweep = $1::text AND k.benchmark = 'target'
ORDER BY k.rank, k.representation
