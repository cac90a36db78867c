-- A sweep as submitted; `plan` keeps the submission, from which a new leader plans again.
INSERT INTO sweep (name, config, config_digest, plan, policy, seed, note)
VALUES ($1::text, $2::text, $3::text, $4::jsonb, $5::jsonb, $6::bigint, $7::text)
ON CONFLICT (name) DO UPDATE
   SET config = excluded.config, config_digest = excluded.config_digest, plan = excluded.plan, policy = excluded.policy,
       seed = excluded.seed, note = excluded.note, state = 'running', finished_at = NULL, reason = ''
RETURNING sweep_id;
