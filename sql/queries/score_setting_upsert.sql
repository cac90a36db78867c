-- How a score is computed, by identity.
INSERT INTO score_setting (score, settings, identity) VALUES ($1::text, $2::jsonb, $3::text)
ON CONFLICT (identity) DO UPDATE SET score = excluded.score
RETURNING score_setting_id;
