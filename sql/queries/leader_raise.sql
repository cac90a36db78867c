-- Under the advisory lock: a new epoch for a new leader.
INSERT INTO leader (epoch, coordinator, endpoint) VALUES (1, $1::text, $2::text)
ON CONFLICT (one) DO UPDATE SET epoch = leader.epoch + 1, coordinator = $1::text, endpoint = $2::text, since = now()
RETURNING epoch;
