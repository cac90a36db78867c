-- The space of a sweep.
INSERT INTO sweep_representation (sweep_id, representation_id, position, label)
SELECT $1::bigint, a.* FROM unnest($2::bigint[], $3::int[], $4::text[]) AS a(representation_id, position, label)
ON CONFLICT (sweep_id, representation_id) DO UPDATE SET position = excluded.position, label = excluded.label;
