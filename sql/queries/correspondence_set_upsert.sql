-- A correspondence set by name.
INSERT INTO correspondence_set (name, image_set_id, pairs, split)
VALUES ($1::text, $2::bigint, nullif($3::bigint, 0), $4::text)
ON CONFLICT (name) DO UPDATE SET pairs = coalesce(excluded.pairs, correspondence_set.pairs)
RETURNING correspondence_set_id;
