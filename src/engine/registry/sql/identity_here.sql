-- This database is the one that the registry is of; there every schema has another OID.
INSERT INTO tenantry.identity (system_identifier, database_oid)
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), oid
FROM pg_catalog.pg_database
WHERE datname = pg_catalog.current_database()
ON CONFLICT (singleton) DO UPDATE SET system_identifier = excluded.system_identifier, database_oid = excluded.database_oid;
UPDATE tenantry.tenants SET schema_oid = NULL
