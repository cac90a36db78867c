-- What each floor scores on each benchmark of the sweep: A, the C of the set that goes with it, and the performance, where known.
SELECT f.floor, sb.benchmark_id,
       max(f.value) FILTER (WHERE f.metric = 'a' AND f.benchmark = b.name) AS a,
       max(f.value) FILTER (WHERE f.metric = 'c' AND f.correspondence_set = cs.name) AS c,
       max(f.value) FILTER (WHERE f.score = 'performance' AND f.benchmark = b.name) AS performance
FROM acsweep.sweep s
JOIN acsweep.floors f ON f.sweep = s.name
JOIN acsweep.sweep_benchmark sb USING (sweep_id)
JOIN acsweep.benchmark b USING (benchmark_id)
LEFT JOIN acsweep.correspondence_set cs USING (correspondence_set_id)
WHERE s.sweep_id = $1::bigint
GROUP BY f.floor, sb.benchmark_id, sb.position
ORDER BY f.floor = 'position', f.floor, sb.position, sb.benchmark_id
