-- The target's measured value is a sum of floats: taken in one order, so that it is the same digit for digit whatever the
-- order in which rows lie on their pages.
SET LOCAL search_path = acsweep, public;
CREATE OR REPLACE VIEW measured AS
WITH p AS (
    SELECT st.sweep_id, t.representation_id, t.benchmark_id, m.value, sb.weight,
           100 * m.value / coalesce(nullif(b.maximum, 0), 100) AS percent
    FROM sweep_task st
    JOIN task t ON t.task_id = st.task_id AND t.kind = 'evaluate' AND t.state = 'done'
    JOIN metric m ON m.task_id = t.task_id AND m.name = 'performance'
    JOIN benchmark b USING (benchmark_id)
    JOIN sweep_benchmark sb ON sb.sweep_id = st.sweep_id AND sb.benchmark_id = t.benchmark_id)
SELECT s.name AS sweep, p.sweep_id, p.representation_id, p.benchmark_id, p.value, p.percent
FROM p JOIN sweep s USING (sweep_id)
UNION ALL
SELECT s.name, p.sweep_id, p.representation_id, 0, NULL, sum(p.percent * p.weight ORDER BY p.benchmark_id) / sum(p.weight ORDER BY p.benchmark_id)
FROM p JOIN sweep s USING (sweep_id)
WHERE p.weight > 0
GROUP BY s.name, p.sweep_id, p.representation_id
HAVING count(*) = (SELECT count(*) FROM sweep_benchmark sb WHERE sb.sweep_id = p.sweep_id AND sb.weight > 0);
