-- A sweep as submitted; `plan` keeps the submission, from which a new leader plans again.
INSERT INTO sweep (name, config, config_digest, plan, policy, seed)
VALUES ($1::text, $2::text, $3::text, $4::jsonb, $5::jsonb, $6::bigint)
ON CONFLICT (name) DO UPDATE
   SET config = excluded.config, config_digest = excluded.config_digest, plan = excluded.plan, policy = excluded.policy,
       seed = excluded.seed, state = 'running', finished_at = NULL, note = ''
RETURNING sweep_id;
