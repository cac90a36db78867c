-- A checkpoint by name.
INSERT INTO checkpoint (name, role, source, digest) VALUES ($1::text, $2::text, $3::text, $4::text)
ON CONFLICT (name) DO UPDATE SET source = excluded.source, digest = coalesce(excluded.digest, checkpoint.digest)
RETURNING checkpoint_id;
