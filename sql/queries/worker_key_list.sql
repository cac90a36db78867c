-- Keys that may connect now.
SELECT public_key, role FROM worker_key WHERE revoked_at IS NULL;
