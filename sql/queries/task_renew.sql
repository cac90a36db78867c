-- Tasks that wait and are wanted again, maybe in another way: $2 ids, $3 what their params are now, $1 how many. Those that
-- changed come back.
UPDATE task t SET params = n.params::json
  FROM (SELECT ($2::bigint[])[i] AS task_id, ($3::text[])[i] AS params FROM generate_series(1, $1::int) i) n
 WHERE t.task_id = n.task_id AND t.state = 'pending' AND t.params::text <> n.params
RETURNING t.task_id;
