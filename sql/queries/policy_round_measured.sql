-- Every choice of a round is measured, or failed for good.
UPDATE policy_round SET state = 'measured', finished_at = now()
 WHERE sweep_id = $1::bigint AND round = $2::int AND state = 'open';
