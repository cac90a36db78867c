-- One artifact of a success, with the place where it lies.
WITH made AS (
    INSERT INTO artifact (task_id, attempt, name, digest, bytes, content)
    VALUES ($1::bigint, $2::int, $3::text, $4::text, $5::bigint, $6::bytea)
    RETURNING artifact_id
)
INSERT INTO artifact_location (artifact_id, store, worker_id, path)
SELECT artifact_id, $7::text, CASE WHEN $7::text = 'scratch' THEN $8::text ELSE '' END, $9::text FROM made;
