-- Correspondence pictures that the sweep's scores left: points and maps (`pictures`) of each representation, and the pictures
-- themselves (`thumbnails`) from a few. Only where the bytes are in the row.
SELECT a.artifact_id, a.name, t.representation_id, t.correspondence_set_id, cs.name AS correspondence_set,
       (SELECT count(*) FROM acsweep.representation_member m
        WHERE m.representation_id = t.representation_id) AS members
FROM acsweep.sweep_task st
JOIN acsweep.task t USING (task_id)
JOIN acsweep.sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id AND NOT sr.floor
JOIN acsweep.correspondence_set cs USING (correspondence_set_id)
JOIN acsweep.artifact a USING (task_id)
WHERE st.sweep_id = $1::bigint AND t.kind = 'score_c' AND t.state = 'done' AND a.name IN ('pictures', 'thumbnails')
  AND a.content IS NOT NULL AND a.bytes <= 1048576
ORDER BY cs.name, cs.correspondence_set_id, a.name, members, sr.position, a.artifact_id
