-- Counts for each kind of task of sweep $1, in the order of the method.
SELECT kind, tasks, done, cached, running, ready, waiting, blocked, failed, cancelled, retried
FROM progress
WHERE sweep = $1::text
ORDER BY array_position(ARRAY['identify', 'extract', 'stage1', 'score_a', 'score_c', 'stage2', 'evaluate'], kind), kind
