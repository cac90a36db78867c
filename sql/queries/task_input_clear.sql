-- Of these tasks, the inputs that are no part of their identity.
DELETE FROM task_input WHERE task_id = ANY ($1::bigint[]) AND name LIKE 'cache:%';
