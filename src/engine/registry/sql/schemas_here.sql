-- A schema that does not belong to the registered owner may be anybody's, and is not assumed to be the tenant's.
UPDATE tenantry.tenants t
SET schema_oid = n.oid
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
WHERE t.schema_oid IS NULL AND t.state <> 'removed' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name
