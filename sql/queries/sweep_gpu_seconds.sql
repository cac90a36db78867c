-- What a sweep has cost: GPU-seconds of every attempt at the tasks that it did not find in the cache.
SELECT coalesce(sum(a.gpu_seconds), 0)
  FROM sweep_task st JOIN attempt a USING (task_id) WHERE st.sweep_id = $1::bigint AND NOT st.cached;
