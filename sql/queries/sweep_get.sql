-- One sweep as it was submitted.
SELECT config, plan::text, config_digest, state::text FROM sweep WHERE sweep_id = $1::bigint;
