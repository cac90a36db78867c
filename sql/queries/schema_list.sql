-- The migrations applied to this database, oldest first.
SELECT version, name, checksum
FROM acsweep.schema_migration
ORDER BY version
