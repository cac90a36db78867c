-- All sweeps, the newest first.
SELECT s.name AS sweep, s.state::text AS state,
       to_char(s.created_at, 'YYYY-MM-DD HH24:MI:SS') AS created,
       to_char(s.finished_at, 'YYYY-MM-DD HH24:MI:SS') AS finished,
       (SELECT count(*) FROM sweep_representation r WHERE r.sweep_id = s.sweep_id AND NOT r.floor) AS representations,
       (SELECT count(*) FROM sweep_benchmark b WHERE b.sweep_id = s.sweep_id) AS benchmarks,
       nullif(s.reason, '') AS reason, nullif(s.note, '') AS note
FROM sweep s
ORDER BY s.created_at DESC, s.sweep_id DESC
