-- The small files that the sweep's config names: for a replay, among them the table of recorded numbers.
SELECT f.value AS text
FROM acsweep.sweep s, jsonb_each_text(CASE jsonb_typeof(s.plan -> 'files') WHEN 'object' THEN s.plan -> 'files' ELSE '{}' END) f
WHERE s.sweep_id = $1::bigint
