-- The tasks that a user may mean by $1: the one of that number, else those of that label, the newest first.
SELECT t.task_id FROM task t
WHERE CASE WHEN $1::text ~ '^[0-9]{1,18}$' THEN t.task_id = $1::text::bigint ELSE t.label = $1::text END
ORDER BY t.task_id DESC
LIMIT 100
