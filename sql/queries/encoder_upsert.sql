-- An encoder by identity.
INSERT INTO encoder (name, checkpoint_id, resolution, grid, channels, options, identity)
VALUES ($1::text, $2::bigint, $3::int, nullif($4::int, 0), nullif($5::int, 0), $6::jsonb, $7::text)
ON CONFLICT (identity) DO UPDATE SET name = excluded.name, grid = excluded.grid, channels = excluded.channels
RETURNING encoder_id;
