-- A coordinator is here, leading or waiting to; others learn its address.
INSERT INTO coordinator (endpoint, name, server_key) VALUES ($1::text, $2::text, $3::text)
ON CONFLICT (endpoint) DO UPDATE SET name = excluded.name, server_key = excluded.server_key, seen_at = now();
