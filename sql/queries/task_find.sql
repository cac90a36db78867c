-- Which of these identities the database knows, and how they stand.
SELECT identity, task_id, state::text, attempt, lease_epoch, charged, coalesce(worker_id, ''), cancel_wanted
  FROM task WHERE identity = ANY ($1::text[]);
