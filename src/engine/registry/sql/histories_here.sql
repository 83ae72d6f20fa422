-- A history of the configured name ($1) is the one that the tenant has, where none was noted yet.
UPDATE tenantry.tenants t
SET history_table = $1
FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE t.history_table IS NULL AND t.state = 'active' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name
  AND c.relname = $1::text::name
