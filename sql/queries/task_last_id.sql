-- Task ids are given out by the leader, in order.
SELECT coalesce(max(task_id), 0) FROM task;
