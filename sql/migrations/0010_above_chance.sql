-- How sure a performance is, and what it would be without looking, where the evaluation says so.
SET LOCAL search_path = acsweep, public;
CREATE OR REPLACE VIEW performances AS
SELECT s.name AS sweep, r.name AS representation, b.name AS benchmark, b.metric, p.value, b.maximum,
       100 * p.value / coalesce(nullif(b.maximum, 0), 100) AS percent, coalesce(sb.weight, 0) AS weight,
       st.round, st.cached, t.ended_at AS measured_at, t.task_id,
       low.value AS ci_low, high.value AS ci_high, chance.value AS chance, low.value > chance.value AS above_chance
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t ON t.task_id = st.task_id AND t.kind = 'evaluate' AND t.state = 'done'
JOIN metric p ON p.task_id = t.task_id AND p.name = 'performance'
JOIN representation r USING (representation_id)
JOIN benchmark b USING (benchmark_id)
LEFT JOIN sweep_benchmark sb ON sb.sweep_id = st.sweep_id AND sb.benchmark_id = t.benchmark_id
LEFT JOIN metric low ON low.task_id = t.task_id AND low.name = 'ci_low'
LEFT JOIN metric high ON high.task_id = t.task_id AND high.name = 'ci_high'
LEFT JOIN metric chance ON chance.task_id = t.task_id AND chance.name = 'chance';

COMMENT ON COLUMN performances.ci_low IS 'lower end of the 95 % confidence interval over questions; null: the evaluation reported none';
COMMENT ON COLUMN performances.ci_high IS 'upper end of the 95 % confidence interval over questions';
COMMENT ON COLUMN performances.chance IS 'performance to be had without looking at the pictures';
COMMENT ON COLUMN performances.above_chance IS 'the lower end of the interval is above chance';
