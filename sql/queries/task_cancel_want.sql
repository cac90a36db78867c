-- Running tasks that were asked to stop: the wish outlives the leader that took it.
UPDATE task SET cancel_wanted = true WHERE task_id = ANY ($1::bigint[]) AND state = 'leased';
