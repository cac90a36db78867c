-- Task $1 and the newest others of its label: what the identity of each is made of.
SELECT t.task_id AS task, t.params ->> 'identity' AS parameters, t.executor,
       (SELECT json_object_agg(ti.name, json_build_object('task', i.task_id, 'identity', i.identity))
        FROM task_input ti JOIN task i ON i.task_id = ti.input_task_id WHERE ti.task_id = t.task_id AND ti.name NOT LIKE 'cache:%')::text AS inputs,
       (SELECT string_agg(s.name, ', ' ORDER BY s.sweep_id) FROM sweep_task st JOIN sweep s USING (sweep_id)
        WHERE st.task_id = t.task_id) AS sweeps
FROM task t JOIN task me ON me.kind = t.kind AND me.label = t.label
WHERE me.task_id = $1::bigint
ORDER BY t.task_id = me.task_id DESC, t.task_id DESC
LIMIT 20
