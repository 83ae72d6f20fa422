-- ALTER DEFAULT PRIVILEGES: in these schemas ($1), of whatever role; and in every schema, of these roles ($2), with what
-- would hold without it.
SELECT n.nspname::text AS schema, r.rolname::text AS role, d.defaclobjtype::text AS kind, d.defaclacl::text[] AS acl,
       CASE WHEN d.defaclnamespace = 0
            THEN acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)::text[] END AS builtin
FROM (
    -- No index of pg_default_acl begins with the schema, and a fleet has very many entries.
    SELECT s.nspname, x.objid AS oid
    FROM pg_namespace s
    JOIN pg_depend x ON x.refclassid = 'pg_namespace'::regclass AND x.refobjid = s.oid AND x.classid = 'pg_default_acl'::regclass
    WHERE s.nspname = ANY ($1::text[]::name[])
    UNION ALL
    SELECT NULL, e.oid FROM pg_roles g JOIN pg_default_acl e ON e.defaclrole = g.oid AND e.defaclnamespace = 0
    WHERE g.rolname = ANY ($2::text[]::name[])
) n
JOIN pg_default_acl d ON d.oid = n.oid
JOIN pg_roles r ON r.oid = d.defaclrole
ORDER BY n.nspname, r.rolname, d.defaclobjtype
