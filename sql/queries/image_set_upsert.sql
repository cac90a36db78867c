-- An image set by name.
INSERT INTO image_set (name, role, images, digest) VALUES ($1::text, $2::text, nullif($3::bigint, 0), $4::text)
ON CONFLICT (name) DO UPDATE SET images = coalesce(excluded.images, image_set.images),
                                 digest = coalesce(excluded.digest, image_set.digest)
RETURNING image_set_id;
