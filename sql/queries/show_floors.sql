-- The floors of sweep $1, and between what the search space lies: A and C as means over benchmarks and sets, and the plain mean of
-- the performances in per cent of their maxima. No row without floors.
WITH known AS (
    SELECT s.representation, avg(s.value) FILTER (WHERE s.metric = 'a') AS a, avg(s.value) FILTER (WHERE s.metric = 'c') AS c,
           (SELECT avg(p.percent) FROM performances p WHERE p.sweep = $1::text AND p.representation = s.representation) AS percent
    FROM scores s
    WHERE s.sweep = $1::text
    GROUP BY s.representation),
shown AS (
    SELECT 0 AS place, 'search space, highest' AS floor, max(a) AS a, max(c) AS c, max(percent) AS percent FROM known
    UNION ALL
    SELECT 1, 'search space, lowest', min(a), min(c), min(percent) FROM known
    UNION ALL
    SELECT CASE floor WHEN 'position' THEN 3 ELSE 2 END, floor, avg(value) FILTER (WHERE metric = 'a'),
           avg(value) FILTER (WHERE metric = 'c'), avg(percent)
    FROM floors WHERE sweep = $1::text
    GROUP BY floor)
SELECT floor, round(a::numeric, 4) AS "mean A", round(c::numeric, 4) AS "mean C", round(percent::numeric, 2) AS "mean %"
FROM shown
WHERE EXISTS (SELECT FROM floors WHERE sweep = $1::text)
ORDER BY place, floor
