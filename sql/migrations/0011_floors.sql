-- Floors: representations that a sweep scores to compare with, and that are no members of its search space. What is one is said by
-- the sweep, not by the representation: another sweep may search among it. The views of scores and performances leave them out,
-- so that no mean takes them in by accident; the view floors has them, and with them what a score_c says of the position alone.
SET LOCAL search_path = acsweep, public;

ALTER TABLE sweep_representation ADD COLUMN floor boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW sweeps AS
SELECT s.name AS sweep, s.state::text AS state, s.reason, s.note, s.policy ->> 'mode' AS mode, s.seed,
       (SELECT count(*) FROM sweep_representation r WHERE r.sweep_id = s.sweep_id AND NOT r.floor) AS representations,
       (SELECT count(*) FROM sweep_benchmark b WHERE b.sweep_id = s.sweep_id) AS benchmarks,
       s.created_at, s.finished_at, s.config_digest
FROM sweep s;

CREATE OR REPLACE VIEW tasks AS
SELECT s.name AS sweep, t.task_id, t.kind, t.label, t.executor,
       CASE WHEN t.state = 'leased' THEN 'running'
            WHEN t.state <> 'pending' THEN t.state::text
            WHEN i.broken > 0 THEN 'blocked'
            WHEN i.missing > 0 THEN 'waiting'
            ELSE 'ready' END AS status,
       coalesce(i.missing, 0) AS inputs_missing,
       st.round, st.cached, t.priority, r.name AS representation, e.name AS encoder, b.name AS benchmark,
       c.name AS correspondence_set, m.name AS image_set, t.shard, t.attempt AS attempts, t.charged AS charged_attempts,
       t.worker_id, t.created_at, t.leased_at, t.ended_at, t.reason, t.identity, sr.floor IS TRUE AS is_floor
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t USING (task_id)
LEFT JOIN representation r USING (representation_id)
LEFT JOIN encoder e USING (encoder_id)
LEFT JOIN benchmark b USING (benchmark_id)
LEFT JOIN correspondence_set c USING (correspondence_set_id)
LEFT JOIN image_set m ON m.image_set_id = t.image_set_id
LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE u.state <> 'done') AS missing,
           count(*) FILTER (WHERE u.state IN ('failed', 'cancelled')) AS broken
    FROM task_input ti JOIN task u ON u.task_id = ti.input_task_id
    WHERE ti.task_id = t.task_id AND t.state = 'pending') i ON true;

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
LEFT JOIN metric chance ON chance.task_id = t.task_id AND chance.name = 'chance'
LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
WHERE sr.floor IS NOT TRUE;

CREATE OR REPLACE VIEW scores AS
SELECT s.name AS sweep, right(t.kind, 1) AS score, r.name AS representation, b.name AS benchmark,
       c.name AS correspondence_set, m.name AS metric, m.value, x.settings, st.cached, t.ended_at AS scored_at, t.task_id
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t ON t.task_id = st.task_id AND t.kind IN ('score_a', 'score_c') AND t.state = 'done'
JOIN metric m ON m.task_id = t.task_id
             AND (m.name = right(t.kind, 1) OR (t.kind = 'score_c' AND m.name LIKE 'pck\_%'))
JOIN representation r USING (representation_id)
LEFT JOIN benchmark b USING (benchmark_id)
LEFT JOIN correspondence_set c USING (correspondence_set_id)
LEFT JOIN score_setting x USING (score_setting_id)
LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
WHERE sr.floor IS NOT TRUE;

CREATE OR REPLACE VIEW measured AS
WITH p AS (
    SELECT st.sweep_id, t.representation_id, t.benchmark_id, m.value, sb.weight,
           100 * m.value / coalesce(nullif(b.maximum, 0), 100) AS percent
    FROM sweep_task st
    JOIN task t ON t.task_id = st.task_id AND t.kind = 'evaluate' AND t.state = 'done'
    JOIN metric m ON m.task_id = t.task_id AND m.name = 'performance'
    JOIN benchmark b USING (benchmark_id)
    JOIN sweep_benchmark sb ON sb.sweep_id = st.sweep_id AND sb.benchmark_id = t.benchmark_id
    LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
    WHERE sr.floor IS NOT TRUE)
SELECT s.name AS sweep, p.sweep_id, p.representation_id, p.benchmark_id, p.value, p.percent
FROM p JOIN sweep s USING (sweep_id)
UNION ALL
SELECT s.name, p.sweep_id, p.representation_id, 0, NULL, sum(p.percent * p.weight ORDER BY p.benchmark_id) / sum(p.weight ORDER BY p.benchmark_id)
FROM p JOIN sweep s USING (sweep_id)
WHERE p.weight > 0
GROUP BY s.name, p.sweep_id, p.representation_id
HAVING count(*) = (SELECT count(*) FROM sweep_benchmark sb WHERE sb.sweep_id = p.sweep_id AND sb.weight > 0);

CREATE OR REPLACE VIEW cost AS
SELECT s.name AS sweep, t.kind, r.name AS representation, CASE WHEN st.cached THEN 'shared' ELSE 'charged' END AS sharing,
       count(DISTINCT t.task_id) AS tasks, count(a.task_id) AS attempts,
       count(a.task_id) FILTER (WHERE a.outcome NOT IN ('succeeded', 'checkpointed')) AS wasted_attempts,
       coalesce(sum(a.wall_seconds), 0) AS wall_seconds,
       coalesce(sum(a.gpu_seconds), 0) AS gpu_seconds,
       coalesce(sum(a.cpu_seconds), 0) AS cpu_seconds,
       coalesce(sum(a.gpu_seconds) FILTER (WHERE a.outcome NOT IN ('succeeded', 'checkpointed')), 0)
           AS wasted_gpu_seconds,
       sum(a.energy_joules) AS energy_joules, sr.floor IS TRUE AS is_floor
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t USING (task_id)
LEFT JOIN representation r USING (representation_id)
LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
LEFT JOIN attempt a USING (task_id)
GROUP BY s.name, t.kind, r.name, st.cached, sr.floor IS TRUE;

-- Every score_c of a set says the same of the position alone, so one speaks for all of them.
CREATE VIEW floors AS
SELECT s.name AS sweep, r.name AS floor,
       CASE t.kind WHEN 'score_a' THEN 'a' WHEN 'score_c' THEN 'c' ELSE 'performance' END AS score, b.name AS benchmark,
       c.name AS correspondence_set, m.name AS metric, m.value,
       CASE t.kind WHEN 'evaluate' THEN 100 * m.value / coalesce(nullif(b.maximum, 0), 100) END AS percent,
       st.cached, t.ended_at AS measured_at, t.task_id
FROM sweep_representation sr
JOIN sweep s USING (sweep_id)
JOIN sweep_task st USING (sweep_id)
JOIN task t ON t.task_id = st.task_id AND t.representation_id = sr.representation_id AND t.state = 'done'
JOIN metric m ON m.task_id = t.task_id
             AND ((t.kind, m.name) IN (('score_a', 'a'), ('score_c', 'c'), ('evaluate', 'performance'))
                  OR (t.kind = 'score_c' AND m.name LIKE 'pck\_%'))
JOIN representation r ON r.representation_id = sr.representation_id
LEFT JOIN benchmark b USING (benchmark_id)
LEFT JOIN correspondence_set c USING (correspondence_set_id)
WHERE sr.floor
UNION ALL
(SELECT DISTINCT ON (st.sweep_id, t.correspondence_set_id, m.name)
        s.name, 'position', 'c', NULL, c.name, substr(m.name, length('position_') + 1), m.value, NULL::float8,
        st.cached, t.ended_at, t.task_id
 FROM sweep_task st
 JOIN sweep s USING (sweep_id)
 JOIN task t ON t.task_id = st.task_id AND t.kind = 'score_c' AND t.state = 'done'
 JOIN metric m ON m.task_id = t.task_id AND m.name LIKE 'position\_%'
 JOIN correspondence_set c USING (correspondence_set_id)
 ORDER BY st.sweep_id, t.correspondence_set_id, m.name, t.task_id);

COMMENT ON COLUMN sweep_representation.floor IS 'scored to compare with; no member of the search space';
COMMENT ON COLUMN tasks.is_floor IS 'it is about a floor, not about a member of the search space';
COMMENT ON COLUMN cost.is_floor IS 'it was spent on a floor, not on a member of the search space';
COMMENT ON VIEW floors IS 'What scores and performances are to be compared with: of the floors of a sweep, and of the position alone.';
COMMENT ON COLUMN floors.sweep IS 'name of the sweep';
COMMENT ON COLUMN floors.floor IS 'name of the floor; position: the key point is looked for where it is in the other picture';
COMMENT ON COLUMN floors.score IS 'a, c or performance';
COMMENT ON COLUMN floors.benchmark IS 'name of the benchmark, for a and performance';
COMMENT ON COLUMN floors.correspondence_set IS 'name of the correspondence set, for c';
COMMENT ON COLUMN floors.metric IS 'name of the number: a, c, pck_... for the parts of c, performance';
COMMENT ON COLUMN floors.value IS 'value';
COMMENT ON COLUMN floors.percent IS 'a performance in per cent of the benchmark''s maximum';
COMMENT ON COLUMN floors.cached IS 'result was found, not computed for this sweep';
COMMENT ON COLUMN floors.measured_at IS 'when it was computed';
COMMENT ON COLUMN floors.task_id IS 'task';
