-- What a task needs, and how that stands.
SELECT ti.name AS input, i.task_id AS task, i.label, i.state::text AS state
FROM task_input ti JOIN task i ON i.task_id = ti.input_task_id
WHERE ti.task_id = $1::bigint
ORDER BY ti.name, i.task_id
