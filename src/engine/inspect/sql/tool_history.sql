-- What stands under the name of another tool's history ($2) in these schemas ($1)? Only an ordinary table without row security is read,
-- and of its columns only those of these names ($3), if PostgreSQL's own types have them: another type's output is somebody's code.
-- attgenerated: a virtual column (18) is computed when it is read.
SELECT n.nspname::text AS schema, r.rolname::text AS owner, c.relkind::text AS kind, c.relrowsecurity AS row_security,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
       ARRAY(SELECT coalesce(pg_catalog.format_type(a.atttypid, NULL), '')
             FROM pg_catalog.unnest($3::text[]) WITH ORDINALITY AS w (name, n)
             LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name::name AND a.attnum > 0
               AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid < 16384
             ORDER BY w.n) AS types
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE n.nspname = ANY ($1::text[]::name[]) AND c.relname = $2
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
ORDER BY n.nspname
