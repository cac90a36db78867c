-- What was submitted under a name, to see whether it is the same again; the last column as in sweep_find.sql.
SELECT config, plan::text, state::text, coalesce(plan ->> 'before', config_digest) FROM sweep WHERE name = $1::text;
