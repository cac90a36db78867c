-- Another config under the same name: what the old plan recorded in sweep_task goes; results stay, and so does how the
-- content of the new one was identified.
DELETE FROM sweep_task st USING task t
 WHERE st.sweep_id = $1::bigint AND t.task_id = st.task_id AND t.kind <> 'identify';
