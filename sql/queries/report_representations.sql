-- The search space in its order, without floors, with the round that chose each and the reason why it left the space, if it did.
SELECT sr.representation_id, coalesce(nullif(sr.label, ''), r.name) AS name,
       (SELECT min(pc.round) FROM acsweep.policy_choice pc
        WHERE pc.sweep_id = sr.sweep_id AND pc.representation_id = sr.representation_id) AS chosen_in,
       coalesce((SELECT t.label || coalesce(': ' || nullif(t.reason, ''), '')
                 FROM acsweep.sweep_task st JOIN acsweep.task t USING (task_id)
                 WHERE st.sweep_id = sr.sweep_id AND t.representation_id = sr.representation_id AND t.state = 'failed'
                 ORDER BY t.ended_at, t.task_id LIMIT 1), '') AS failure
FROM acsweep.sweep_representation sr JOIN acsweep.representation r USING (representation_id)
WHERE sr.sweep_id = $1::bigint AND NOT sr.floor
ORDER BY sr.position, sr.representation_id
