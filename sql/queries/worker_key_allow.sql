-- Let a public key in, or let a revoked one in again.
INSERT INTO acsweep.worker_key (public_key, name, role)
VALUES ($1::text, $2::text, $3::text)
ON CONFLICT (public_key) DO UPDATE SET name = excluded.name, role = excluded.role, revoked_at = NULL
