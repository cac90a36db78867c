-- Record an applied migration, in the transaction that applied it.
INSERT INTO acsweep.schema_migration (version, name, checksum)
VALUES ($1::int, $2::text, $3::text)
