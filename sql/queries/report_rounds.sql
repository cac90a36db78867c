-- The policy's rounds.
SELECT round, mode, state, note, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS started,
       to_char(finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS finished
FROM acsweep.policy_round
WHERE sweep_id = $1::bigint
ORDER BY round
