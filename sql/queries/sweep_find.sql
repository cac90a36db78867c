-- A sweep by name; the last column is the config that its rounds belong to, '' when it has none.
SELECT sweep_id, config_digest, state::text, coalesce(plan ->> 'before', config_digest) FROM sweep WHERE name = $1::text;
