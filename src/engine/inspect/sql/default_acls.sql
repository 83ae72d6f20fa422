-- ALTER DEFAULT PRIVILEGES: in these schemas ($1), of whatever role; and in every schema, of these roles ($2), with what
-- would hold without it.
SELECT n.nspname::text AS schema, r.rolname::text AS role, d.defaclobjtype::text AS kind, d.defaclacl::text[] AS acl,
       CASE WHEN d.defaclnamespace = 0
            THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)::text[] END AS builtin
FROM pg_default_acl d
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
JOIN pg_roles r ON r.oid = d.defaclrole
WHERE n.nspname = ANY ($1::text[]::name[]) OR d.defaclnamespace = 0 AND r.rolname = ANY ($2::text[]::name[])
ORDER BY n.nspname, r.rolname, d.defaclobjtype
