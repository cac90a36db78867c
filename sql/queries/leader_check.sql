-- Still the leader of this epoch? 0 rows rolls the whole batch back.
SELECT 1 FROM leader WHERE epoch = $1::bigint;
