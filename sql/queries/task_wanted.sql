-- Running tasks that a submission wants again: their attempts go on.
UPDATE task SET cancel_wanted = false WHERE task_id = ANY ($1::bigint[]) AND cancel_wanted;
