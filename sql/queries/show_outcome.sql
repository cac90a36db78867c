-- How sweep $1 stands: its state, how many of its tasks failed for good, and what its author notes about it.
SELECT s.state::text AS state, s.note,
       (SELECT count(*) FROM sweep_task st JOIN task t USING (task_id)
        WHERE st.sweep_id = s.sweep_id AND t.state = 'failed') AS failed
FROM sweep s
WHERE s.name = $1::text
