-- The space of a sweep, and its floors.
INSERT INTO sweep_representation (sweep_id, representation_id, position, label, floor)
SELECT $1::bigint, a.* FROM unnest($2::bigint[], $3::int[], $4::text[], $5::bool[]) AS a(representation_id, position, label, floor)
ON CONFLICT (sweep_id, representation_id) DO UPDATE SET position = excluded.position, label = excluded.label, floor = excluded.floor;
