-- A, C and performance for each representation and benchmark of the sweep, where known; and what the evaluation said of its own
-- precision and of chance.
WITH known AS MATERIALIZED (
    SELECT t.kind, m.name, t.representation_id, t.benchmark_id, coalesce(t.correspondence_set_id, 0) AS pairs,
           max(m.value) AS value
    FROM acsweep.sweep_task st
    JOIN acsweep.task t USING (task_id)
    JOIN acsweep.metric m USING (task_id)
    WHERE st.sweep_id = $1::bigint AND t.state = 'done'
      AND (t.kind, m.name) IN (('score_a', 'a'), ('score_c', 'c'), ('evaluate', 'performance'), ('evaluate', 'questions'),
                               ('evaluate', 'standard_error'), ('evaluate', 'ci_low'), ('evaluate', 'ci_high'),
                               ('evaluate', 'chance'))
    GROUP BY 1, 2, 3, 4, 5)
SELECT sr.representation_id, sb.benchmark_id, max(a.value) AS a, max(c.value) AS c,
       max(p.value) FILTER (WHERE p.name = 'performance') AS performance,
       max(p.value) FILTER (WHERE p.name = 'questions') AS questions,
       max(p.value) FILTER (WHERE p.name = 'standard_error') AS standard_error,
       max(p.value) FILTER (WHERE p.name = 'ci_low') AS ci_low,
       max(p.value) FILTER (WHERE p.name = 'ci_high') AS ci_high,
       max(p.value) FILTER (WHERE p.name = 'chance') AS chance
FROM acsweep.sweep_representation sr
JOIN acsweep.sweep_benchmark sb USING (sweep_id)
LEFT JOIN known a ON a.kind = 'score_a' AND a.representation_id = sr.representation_id AND a.benchmark_id = sb.benchmark_id
LEFT JOIN known c ON c.kind = 'score_c' AND c.representation_id = sr.representation_id
                 AND c.pairs = coalesce(sb.correspondence_set_id, 0)
LEFT JOIN known p ON p.kind = 'evaluate' AND p.representation_id = sr.representation_id AND p.benchmark_id = sb.benchmark_id
WHERE sr.sweep_id = $1::bigint AND NOT sr.floor
GROUP BY sr.representation_id, sb.benchmark_id
