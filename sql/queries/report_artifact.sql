-- The bytes of one artifact that is in its row.
SELECT content FROM acsweep.artifact WHERE artifact_id = $1::bigint
