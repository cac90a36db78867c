-- The sweep to report on: the named one, or the newest when no name is given.
SELECT s.sweep_id, s.name, s.state::text AS state, s.note, s.reason, s.config, s.config_digest, s.seed,
       coalesce(s.policy ->> 'mode', '') AS mode,
       CASE jsonb_typeof(s.policy -> 'direction_prior') WHEN 'number' THEN (s.policy ->> 'direction_prior')::double precision
       END AS direction_prior,
       to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS created,
       to_char(s.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS finished,
       extract(epoch FROM coalesce(s.finished_at, now()) - s.created_at)::double precision AS elapsed_seconds,
       (SELECT count(*) > 0 FROM acsweep.sweep_task st JOIN acsweep.task t USING (task_id)
        WHERE st.sweep_id = s.sweep_id AND t.kind IN ('stage2', 'evaluate') AND t.executor = 'replay') AS recorded,
       (SELECT count(*) > 0 FROM acsweep.sweep_task st JOIN acsweep.task t USING (task_id)
        WHERE st.sweep_id = s.sweep_id AND t.kind IN ('stage2', 'evaluate') AND t.executor IN ('fake', 'noop')) AS fake
FROM acsweep.sweep s
WHERE coalesce($1::text, '') = '' OR s.name = $1::text
ORDER BY s.created_at DESC, s.sweep_id DESC
LIMIT 1
