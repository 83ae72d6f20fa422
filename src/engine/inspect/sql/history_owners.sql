-- Who owns what stands under the history's name ($2) in these schemas ($1)?
SELECT n.nspname::text AS schema, r.rolname::text AS owner
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
WHERE n.nspname = ANY ($1::text[]::name[]) AND c.relname = $2
ORDER BY n.nspname
