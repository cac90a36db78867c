-- The ranking of sweep $1 over its target, the weighted mean of the benchmarks from 0, the worst measured, to 1, the best
-- measured: as measured, which is what counts where it is known, and as the policy expects it. "mean %" is the plain mean of the
-- measured values in per cent of their maxima.
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
SELECT k.rank, k.representation, CASE WHEN k.is_measured THEN round(t.value::numeric, 3) END AS measured,
       round(k.predicted::numeric, 3) AS expected, round(k.predicted_sd::numeric, 3) AS sd,
       round(k.measured_percent::numeric, 2) AS "mean %"
FROM ranking k LEFT JOIN target t USING (representation)
WHERE k.sweep = $1::text AND k.benchmark = 'target'
ORDER BY k.rank, k.representation
