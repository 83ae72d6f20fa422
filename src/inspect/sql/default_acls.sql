-- ALTER DEFAULT PRIVILEGES IN SCHEMA, for these schemas ($1).
SELECT n.nspname::text AS schema, r.rolname::text AS role, d.defaclobjtype::text AS kind, d.defaclacl::text[] AS acl
FROM pg_default_acl d
JOIN pg_namespace n ON n.oid = d.defaclnamespace
JOIN pg_roles r ON r.oid = d.defaclrole
WHERE n.nspname = ANY ($1::text[]::name[])
ORDER BY n.nspname, r.rolname, d.defaclobjtype
