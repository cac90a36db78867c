-- The other coordinators that were here within the last minute.
SELECT endpoint, server_key FROM coordinator
 WHERE endpoint <> $1::text AND seen_at > now() - interval '60 s' ORDER BY endpoint LIMIT 8;
