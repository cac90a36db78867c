-- Every key, for people: the ones that may connect first.
SELECT public_key, name, role,
       to_char(created_at, 'YYYY-MM-DD HH24:MI') AS created,
       to_char(revoked_at, 'YYYY-MM-DD HH24:MI') AS revoked
  FROM acsweep.worker_key
 ORDER BY revoked_at IS NOT NULL, name, created_at
