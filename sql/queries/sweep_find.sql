-- A sweep by name.
SELECT sweep_id, config_digest, state::text FROM sweep WHERE name = $1::text;
