-- A choice with its reason.
INSERT INTO policy_choice (sweep_id, round, position, representation_id, value, reason)
VALUES ($1::bigint, $2::int, $3::int, $4::bigint, $5::float8, $6::text);
