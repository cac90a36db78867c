-- A representation by identity.
INSERT INTO representation (name, target_grid, options, identity)
VALUES ($1::text, nullif($2::int, 0), $3::jsonb, $4::text)
ON CONFLICT (identity) DO UPDATE SET name = excluded.name
RETURNING representation_id;
