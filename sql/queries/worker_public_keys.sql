-- Which key each worker's id belongs to; ids are random, so old ones do not come back.
SELECT worker_id, public_key FROM worker WHERE public_key <> '' AND changed_at > now() - interval '30 days';
