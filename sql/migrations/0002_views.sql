-- The public SQL interface: what analysts, the command line and reports may build on (docs/sql.md). Every view starts with
-- the name of the sweep; tables may change between versions, these columns only grow.
SET LOCAL search_path = acsweep, public;

-- Readiness is derived here as the coordinator derives it: a pending task is ready when every input is done.
CREATE VIEW tasks AS
SELECT s.name AS sweep, t.task_id, t.kind, t.label, t.executor,
       CASE WHEN t.state = 'leased' THEN 'running'
            WHEN t.state <> 'pending' THEN t.state::text
            WHEN i.broken > 0 THEN 'blocked'
            WHEN i.missing > 0 THEN 'waiting'
            ELSE 'ready' END AS status,
       coalesce(i.missing, 0) AS inputs_missing,
       st.round, st.cached, t.priority, r.name AS representation, e.name AS encoder, b.name AS benchmark,
       c.name AS correspondence_set, m.name AS image_set, t.shard, t.attempt AS attempts, t.charged AS charged_attempts,
       t.worker_id, t.created_at, t.leased_at, t.ended_at, t.reason, t.identity
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t USING (task_id)
LEFT JOIN representation r USING (representation_id)
LEFT JOIN encoder e USING (encoder_id)
LEFT JOIN benchmark b USING (benchmark_id)
LEFT JOIN correspondence_set c USING (correspondence_set_id)
LEFT JOIN image_set m ON m.image_set_id = t.image_set_id
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE u.state <> 'done') AS missing,
           count(*) FILTER (WHERE u.state IN ('failed', 'cancelled')) AS broken
    FROM task_input ti JOIN task u ON u.task_id = ti.input_task_id
    WHERE ti.task_id = t.task_id AND t.state = 'pending') i ON true;

-- History plus, for leased tasks, the attempt that runs now (it has no row of its own before it ends).
CREATE VIEW attempts AS
SELECT s.name AS sweep, t.task_id, a.attempt, t.kind, t.label, a.outcome, a.failure, a.charged, a.message, a.worker_id,
       w.node, a.slot, a.devices, a.epoch, a.started_at, a.finished_at, a.wall_seconds, a.gpu_seconds, a.cpu_seconds,
       a.energy_joules, a.max_rss_bytes, a.max_gpu_bytes, st.cached
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t USING (task_id)
JOIN (SELECT task_id, attempt, outcome::text, nullif(failure, 'none')::text AS failure, charged, message, worker_id, slot,
             devices, epoch, started_at, finished_at, wall_seconds, gpu_seconds, cpu_seconds, energy_joules,
             max_rss_bytes, max_gpu_bytes
      FROM attempt
      UNION ALL
      SELECT task_id, attempt, 'running', NULL, false, '', worker_id, NULL, '{}', lease_epoch, leased_at, NULL,
             extract(epoch FROM now() - leased_at)::float8, NULL, NULL, NULL, NULL, NULL
      FROM task WHERE state = 'leased') a USING (task_id)
LEFT JOIN worker w ON w.worker_id = a.worker_id;

CREATE VIEW performances AS
SELECT s.name AS sweep, r.name AS representation, b.name AS benchmark, b.metric, p.value, b.maximum,
       100 * p.value / coalesce(nullif(b.maximum, 0), 100) AS percent, coalesce(sb.weight, 0) AS weight,
       st.round, st.cached, t.ended_at AS measured_at, t.task_id
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t ON t.task_id = st.task_id AND t.kind = 'evaluate' AND t.state = 'done'
JOIN metric p ON p.task_id = t.task_id AND p.name = 'performance'
JOIN representation r USING (representation_id)
JOIN benchmark b USING (benchmark_id)
LEFT JOIN sweep_benchmark sb ON sb.sweep_id = st.sweep_id AND sb.benchmark_id = t.benchmark_id;

CREATE VIEW scores AS
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
LEFT JOIN score_setting x USING (score_setting_id);

-- Internal: the measured value of a representation, per benchmark and as the sweep's target (the weighted mean of
-- percentages, only where every weighted benchmark is measured). "target" stands where policy tables have benchmark 0.
CREATE VIEW measured AS
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
SELECT s.name, p.sweep_id, p.representation_id, 0, NULL, sum(p.percent * p.weight) / sum(p.weight)
FROM p JOIN sweep s USING (sweep_id)
WHERE p.weight > 0
GROUP BY s.name, p.sweep_id, p.representation_id
HAVING count(*) = (SELECT count(*) FROM sweep_benchmark sb WHERE sb.sweep_id = p.sweep_id AND sb.weight > 0);

CREATE VIEW ranking AS
SELECT s.name AS sweep, coalesce(b.name, 'target') AS benchmark, p.rank, r.name AS representation, p.round, p.mean AS predicted,
       p.sd AS predicted_sd, m.value AS measured, m.percent AS measured_percent, m.percent IS NOT NULL AS is_measured,
       (SELECT string_agg(e.name, ' + ' ORDER BY rm.position)
        FROM representation_member rm JOIN encoder e USING (encoder_id)
        WHERE rm.representation_id = p.representation_id) AS members
FROM policy_prediction p
JOIN sweep s USING (sweep_id)
JOIN representation r USING (representation_id)
LEFT JOIN benchmark b USING (benchmark_id)
LEFT JOIN measured m USING (sweep_id, representation_id, benchmark_id)
WHERE p.round = (SELECT max(q.round) FROM policy_prediction q
                 WHERE q.sweep_id = p.sweep_id AND q.benchmark_id = p.benchmark_id);

CREATE VIEW law_fit AS
SELECT s.name AS sweep, f.round, b.name AS benchmark, f.n_train, f.r2, f.r2_adjusted, f.r2_loo, f.spearman, f.intercept,
       f.coef_a, f.coef_c, f.coef_a2, f.coef_ac, f.coef_c2,
       f.round = max(f.round) OVER (PARTITION BY f.sweep_id, f.benchmark_id) AS is_newest
FROM policy_fit f
JOIN sweep s USING (sweep_id)
JOIN benchmark b USING (benchmark_id);

CREATE VIEW progress AS
SELECT t.sweep, s.state::text AS sweep_state, t.kind, count(*) AS tasks,
       count(*) FILTER (WHERE status = 'done') AS done,
       count(*) FILTER (WHERE status = 'running') AS running,
       count(*) FILTER (WHERE status = 'ready') AS ready,
       count(*) FILTER (WHERE status = 'waiting') AS waiting,
       count(*) FILTER (WHERE status = 'blocked') AS blocked,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE cached) AS cached,
       count(*) FILTER (WHERE attempts > 1) AS retried,
       min(leased_at) AS first_leased_at, max(ended_at) AS last_ended_at
FROM tasks t JOIN sweep s ON s.name = t.sweep
GROUP BY t.sweep, s.state, t.kind;

-- Measured, never estimated. A result found in the cache is "shared": paid for by another sweep, listed for comparison.
CREATE VIEW cost AS
SELECT s.name AS sweep, t.kind, r.name AS representation, CASE WHEN st.cached THEN 'shared' ELSE 'charged' END AS sharing,
       count(DISTINCT t.task_id) AS tasks, count(a.task_id) AS attempts,
       count(a.task_id) FILTER (WHERE a.outcome NOT IN ('succeeded', 'checkpointed')) AS wasted_attempts,
       coalesce(sum(a.wall_seconds), 0) AS wall_seconds,
       coalesce(sum(a.gpu_seconds), 0) AS gpu_seconds,
       coalesce(sum(a.cpu_seconds), 0) AS cpu_seconds,
       coalesce(sum(a.gpu_seconds) FILTER (WHERE a.outcome NOT IN ('succeeded', 'checkpointed')), 0)
           AS wasted_gpu_seconds,
       sum(a.energy_joules) AS energy_joules
FROM sweep_task st
JOIN sweep s USING (sweep_id)
JOIN task t USING (task_id)
LEFT JOIN representation r USING (representation_id)
LEFT JOIN attempt a USING (task_id)
GROUP BY s.name, t.kind, r.name, st.cached;

-- Workers belong to no sweep: one row for each sweep that a worker has worked for, or one with an empty sweep.
CREATE VIEW workers AS
WITH work AS (
    SELECT sweep, worker_id,
           count(*) FILTER (WHERE outcome = 'running') AS running,
           count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE outcome NOT IN ('running', 'succeeded', 'checkpointed')) AS unsuccessful,
           coalesce(sum(wall_seconds), 0) AS busy_seconds,
           coalesce(sum(gpu_seconds), 0) AS gpu_seconds
    FROM attempts WHERE NOT cached
    GROUP BY sweep, worker_id)
SELECT coalesce(k.sweep, '') AS sweep, w.worker_id, w.node, w.state, w.slots, w.cpus, w.memory_bytes,
       (SELECT count(*) FROM device d WHERE d.worker_id = w.worker_id) AS gpus,
       (SELECT string_agg(DISTINCT d.name, ', ') FROM device d WHERE d.worker_id = w.worker_id) AS gpu_names,
       coalesce(k.running, 0) AS running, coalesce(k.succeeded, 0) AS succeeded,
       coalesce(k.unsuccessful, 0) AS unsuccessful, coalesce(k.busy_seconds, 0) AS busy_seconds,
       coalesce(k.gpu_seconds, 0) AS gpu_seconds, w.joined_at, w.changed_at, w.reason, w.version
FROM worker w LEFT JOIN work k USING (worker_id);

-- One row for each task that is not running and not ended, with the reason.
CREATE VIEW why_waiting AS
SELECT t.sweep, t.task_id, t.kind, t.label, t.status,
       CASE t.status
       WHEN 'blocked' THEN format('an input will never come: %s (%s)%s', i.label, i.state, ': ' || nullif(i.reason, ''))
       WHEN 'waiting' THEN format('%s of its inputs not done, first %s (%s)', t.inputs_missing, i.label, i.state)
       ELSE coalesce(
           p.reason,
           (SELECT 'the scheduler says: ' || string_agg(x.shape || ': ' || x.reason, '; ' ORDER BY x.since) FROM placement x),
           CASE WHEN EXISTS (SELECT FROM worker w WHERE w.state = 'joined') THEN 'ready, waits for a free slot'
                ELSE 'no worker has joined' END)
       END AS reason,
       i.task_id AS input_task_id, p.since, t.attempts
FROM tasks t
JOIN task u USING (task_id)
LEFT JOIN placement p ON t.status = 'ready' AND p.shape = u.executor || ' ' || u.resources::text
LEFT JOIN LATERAL (
    SELECT v.task_id, v.label, v.state, v.reason
    FROM task_input ti JOIN task v ON v.task_id = ti.input_task_id
    WHERE ti.task_id = t.task_id AND v.state <> 'done'
    ORDER BY v.state IN ('failed', 'cancelled') DESC, v.task_id
    LIMIT 1) i ON t.status <> 'ready'
WHERE t.status IN ('ready', 'waiting', 'blocked');

-- One row for each choice of each round; a round without a choice (the last one) has one row with NULLs.
CREATE VIEW policy_rounds AS
SELECT s.name AS sweep, p.round, p.mode, p.state, c.position, r.name AS representation, c.value AS acquisition, c.reason,
       m.percent AS measured_percent,
       CASE WHEN c.representation_id IS NULL THEN NULL
            WHEN m.percent IS NOT NULL THEN 'measured'
            WHEN EXISTS (SELECT FROM sweep_task st JOIN task t USING (task_id)
                         WHERE st.sweep_id = p.sweep_id AND t.representation_id = c.representation_id
                           AND t.kind IN ('stage2', 'evaluate') AND t.state IN ('failed', 'cancelled')) THEN 'failed'
            ELSE 'open' END AS status,
       p.started_at, p.finished_at, p.note, p.observations
FROM policy_round p
JOIN sweep s USING (sweep_id)
LEFT JOIN policy_choice c USING (sweep_id, round)
LEFT JOIN representation r USING (representation_id)
LEFT JOIN measured m ON m.sweep_id = p.sweep_id AND m.representation_id = c.representation_id AND m.benchmark_id = 0;

-- In hindsight: was the best of all that this sweep ever measured among the first three of a round's ranking? The best can
-- only be known among measured representations, so this grows true as more is measured.
CREATE VIEW recall AS
WITH best AS (
    SELECT DISTINCT ON (sweep_id, benchmark_id) sweep_id, benchmark_id, representation_id, percent
    FROM measured
    ORDER BY sweep_id, benchmark_id, percent DESC, representation_id),
spent AS (
    SELECT p.sweep_id, p.round,
           (SELECT count(DISTINCT c.representation_id) FROM policy_choice c
            WHERE c.sweep_id = p.sweep_id AND c.round < p.round) AS fine_tunes
    FROM policy_round p)
SELECT s.name AS sweep, coalesce(b.name, 'target') AS benchmark, p.round, f.fine_tunes, r.name AS best,
       x.percent AS best_percent, p.rank AS best_rank, p.rank <= 3 AS in_top3,
       bool_or(p.rank <= 3) OVER (PARTITION BY p.sweep_id, p.benchmark_id ORDER BY p.round) AS hit_so_far
FROM best x
JOIN policy_prediction p USING (sweep_id, benchmark_id, representation_id)
JOIN spent f ON f.sweep_id = p.sweep_id AND f.round = p.round
JOIN sweep s ON s.sweep_id = p.sweep_id
JOIN representation r ON r.representation_id = x.representation_id
LEFT JOIN benchmark b ON b.benchmark_id = p.benchmark_id;

-- An event of a task that several sweeps share is listed with the sweep it was recorded for, else with each of them.
CREATE VIEW events AS
SELECT coalesce(s.name, '') AS sweep, e.event_id, e.at, e.kind, e.task_id, t.label, e.attempt, e.epoch, e.worker_id, e.detail
FROM event e
LEFT JOIN sweep_task st ON e.sweep_id IS NULL AND st.task_id = e.task_id
LEFT JOIN sweep s ON s.sweep_id = coalesce(e.sweep_id, st.sweep_id)
LEFT JOIN task t ON t.task_id = e.task_id;
