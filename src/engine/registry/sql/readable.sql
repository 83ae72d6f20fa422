-- Is there a registry that we may read, an ordinary table?
SELECT
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'tenantry' AND c.relname = 'tenants' AND c.relkind = 'r' AND NOT c.relrowsecurity
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
