-- What each kind of task took. Sums are what this sweep spent; means are per finished task, all its attempts together,
-- including those that an earlier sweep had paid for. Of stage 1 the mean is over connectors that a stage 2 began with, once
-- there are such: those for screening may be cheaper. Floors are a kind of their own, so that no mean takes them in.
WITH begun AS MATERIALIZED (
    SELECT i.input_task_id
    FROM acsweep.sweep_task st
    JOIN acsweep.task t USING (task_id)
    JOIN acsweep.task_input i USING (task_id)
    WHERE st.sweep_id = $1::bigint AND t.kind = 'stage2'),
per_task AS (
    SELECT t.task_id, CASE WHEN sr.floor THEN 'floors' ELSE t.kind END AS kind, t.state, st.cached, count(a.task_id) AS attempts,
           count(a.task_id) FILTER (WHERE a.outcome <> 'succeeded') AS unsuccessful,
           t.kind <> 'stage1' OR t.task_id IN (SELECT input_task_id FROM begun) AS full_price,
           sum(a.wall_seconds) AS wall, sum(a.gpu_seconds) AS gpu, sum(nullif(a.energy_joules, 0)) AS energy
    FROM acsweep.sweep_task st
    JOIN acsweep.task t USING (task_id)
    LEFT JOIN acsweep.sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
    LEFT JOIN acsweep.attempt a USING (task_id)
    WHERE st.sweep_id = $1::bigint
    GROUP BY t.task_id, sr.floor, t.kind, t.state, st.cached)
SELECT kind, count(*) AS tasks, count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE cached) AS cached,
       coalesce(sum(attempts) FILTER (WHERE NOT cached), 0)::bigint AS attempts,
       coalesce(sum(unsuccessful) FILTER (WHERE NOT cached), 0)::bigint AS unsuccessful,
       sum(wall) FILTER (WHERE NOT cached) AS wall_seconds,
       sum(gpu) FILTER (WHERE NOT cached) AS gpu_seconds,
       sum(energy) FILTER (WHERE NOT cached) AS energy_joules,
       coalesce(avg(wall) FILTER (WHERE state = 'done' AND full_price), avg(wall) FILTER (WHERE state = 'done'))
           AS mean_wall_seconds,
       coalesce(avg(gpu) FILTER (WHERE state = 'done' AND full_price), avg(gpu) FILTER (WHERE state = 'done'))
           AS mean_gpu_seconds
FROM per_task
GROUP BY kind
ORDER BY array_position(ARRAY['identify', 'extract', 'stage1', 'score_a', 'score_c', 'stage2', 'evaluate', 'floors'], kind), kind
