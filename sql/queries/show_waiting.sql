-- Why tasks of sweep $1 that are neither running nor ended do not run.
SELECT kind, reason, count(*) AS tasks, min(task_id) AS "such as task"
FROM why_waiting
WHERE sweep = $1::text
GROUP BY kind, reason
ORDER BY tasks DESC, kind, reason
LIMIT 20
