-- A, C and performance for each representation and benchmark of the sweep, where known.
WITH known AS (
    SELECT t.kind, t.representation_id, t.benchmark_id, t.correspondence_set_id, m.name, m.value
    FROM acsweep.sweep_task st
    JOIN acsweep.task t USING (task_id)
    JOIN acsweep.metric m USING (task_id)
    WHERE st.sweep_id = $1::bigint AND t.state = 'done' AND t.kind IN ('score_a', 'score_c', 'evaluate')
      AND m.name IN ('a', 'c', 'performance'))
SELECT sr.representation_id, sb.benchmark_id,
       (SELECT max(k.value) FROM known k WHERE k.kind = 'score_a' AND k.name = 'a'
        AND k.representation_id = sr.representation_id AND k.benchmark_id = sb.benchmark_id) AS a,
       (SELECT max(k.value) FROM known k WHERE k.kind = 'score_c' AND k.name = 'c'
        AND k.representation_id = sr.representation_id
        AND k.correspondence_set_id IS NOT DISTINCT FROM sb.correspondence_set_id) AS c,
       (SELECT max(k.value) FROM known k WHERE k.kind = 'evaluate' AND k.name = 'performance'
        AND k.representation_id = sr.representation_id AND k.benchmark_id = sb.benchmark_id) AS performance
FROM acsweep.sweep_representation sr JOIN acsweep.sweep_benchmark sb USING (sweep_id)
WHERE sr.sweep_id = $1::bigint
