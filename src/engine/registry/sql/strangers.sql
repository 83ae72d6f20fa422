-- What else lies in schema tenantry, beside the tables named $1 and what belongs to them?
SELECT pg_describe_object(d.classid, d.objid, 0) AS what, r.rolname::text AS owner
FROM pg_namespace n
JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
-- What the bootstrap superuser (OID 10) owns is not noted.
LEFT JOIN pg_shdepend s ON s.classid = d.classid AND s.objid = d.objid AND s.deptype = 'o'
                       AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
JOIN pg_roles r ON r.oid = coalesce(s.refobjid, 10)
WHERE n.nspname = 'tenantry' AND d.classid <> 'pg_default_acl'::regclass
  AND NOT coalesce(c.relname = ANY ($1::text[]::name[]) OR c.relkind = 'S' AND EXISTS (
        SELECT FROM pg_depend o JOIN pg_class t ON t.oid = o.refobjid
        WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i')
          AND t.relnamespace = n.oid AND t.relname = ANY ($1::text[]::name[])), false)
  AND NOT coalesce(p.proname = 'refuse_change' AND p.pronargs = 0, false)
ORDER BY 1, 2
