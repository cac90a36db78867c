-- What a sweep has cost: GPU-seconds of every attempt at the tasks that it did not find in the cache, without those of floors.
SELECT coalesce(sum(a.gpu_seconds), 0)
  FROM sweep_task st JOIN task t USING (task_id) JOIN attempt a USING (task_id)
  LEFT JOIN sweep_representation sr ON sr.sweep_id = st.sweep_id AND sr.representation_id = t.representation_id
 WHERE st.sweep_id = $1::bigint AND NOT st.cached AND sr.floor IS NOT TRUE;
