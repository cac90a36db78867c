-- Keep a key out from now on; by its text or by its name. Revoked ones stay as they are.
UPDATE acsweep.worker_key
   SET revoked_at = now()
 WHERE (public_key = $1::text OR name = $1::text) AND revoked_at IS NULL
