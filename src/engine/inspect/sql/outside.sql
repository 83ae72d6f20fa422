-- What do these roles ($1) own, or hold privileges on, outside of these schemas ($2), in this database or in all of the
-- cluster, and which of those privileges could we ($3) revoke? pg_shdepend knows without looking at every object (manual, pg_shdepend: 'o' owner, 'a' in an ACL).
-- Left out: large objects and temporary objects, which any role may make for itself; user mappings; default privileges
-- of the roles themselves, and those that a tenant set for what it makes.
WITH role AS (
    SELECT oid, rolname FROM pg_roles WHERE rolname = ANY ($1::text[]::name[])
), dependency AS (
    SELECT r.oid AS role, r.rolname, d.classid, d.objid, d.objsubid, d.deptype, f.defaclrole, f.defaclobjtype, f.defaclacl,
           coalesce(c.relnamespace, p.pronamespace, t.typnamespace, op.oprnamespace, co.collnamespace, cv.connamespace,
                    td.dictnamespace, tc.cfgnamespace, oc.opcnamespace, ofa.opfnamespace, st.stxnamespace, n.oid,
                    nullif(f.defaclnamespace, 0)) AS namespace
    FROM pg_shdepend d
    JOIN role r ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
    LEFT JOIN pg_operator op ON d.classid = 'pg_operator'::regclass AND op.oid = d.objid
    LEFT JOIN pg_collation co ON d.classid = 'pg_collation'::regclass AND co.oid = d.objid
    LEFT JOIN pg_conversion cv ON d.classid = 'pg_conversion'::regclass AND cv.oid = d.objid
    LEFT JOIN pg_ts_dict td ON d.classid = 'pg_ts_dict'::regclass AND td.oid = d.objid
    LEFT JOIN pg_ts_config tc ON d.classid = 'pg_ts_config'::regclass AND tc.oid = d.objid
    LEFT JOIN pg_opclass oc ON d.classid = 'pg_opclass'::regclass AND oc.oid = d.objid
    LEFT JOIN pg_opfamily ofa ON d.classid = 'pg_opfamily'::regclass AND ofa.oid = d.objid
    LEFT JOIN pg_statistic_ext st ON d.classid = 'pg_statistic_ext'::regclass AND st.oid = d.objid
    LEFT JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
    LEFT JOIN pg_default_acl f ON d.classid = 'pg_default_acl'::regclass AND f.oid = d.objid
    WHERE d.deptype IN ('a', 'o')
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND d.classid NOT IN ('pg_largeobject'::regclass, 'pg_user_mapping'::regclass)
      AND NOT (d.classid = 'pg_default_acl'::regclass AND (d.deptype = 'o' OR f.defaclrole IN (SELECT oid FROM role)))
), elsewhere AS MATERIALIZED (
    SELECT d.*, s.nspname
    FROM dependency d LEFT JOIN pg_namespace s ON s.oid = d.namespace
    WHERE s.nspname IS NULL OR s.nspname <> ALL ($2::text[]::name[]) AND s.nspname !~ '^pg_(toast_)?temp_'
), acl (classid, objid, objsubid, owner, items) AS (
    SELECT d.classid, d.objid, d.objsubid, c.relowner, CASE d.objsubid WHEN 0 THEN c.relacl ELSE a.attacl END
    FROM elsewhere d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid <> 0
    UNION SELECT d.classid, d.objid, 0, proowner, proacl FROM elsewhere d JOIN pg_proc o ON d.classid = 'pg_proc'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, typowner, typacl FROM elsewhere d JOIN pg_type o ON d.classid = 'pg_type'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, nspowner, nspacl FROM elsewhere d JOIN pg_namespace o ON d.classid = 'pg_namespace'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, datdba, datacl FROM elsewhere d JOIN pg_database o ON d.classid = 'pg_database'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, lanowner, lanacl FROM elsewhere d JOIN pg_language o ON d.classid = 'pg_language'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, fdwowner, fdwacl FROM elsewhere d JOIN pg_foreign_data_wrapper o ON d.classid = 'pg_foreign_data_wrapper'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, srvowner, srvacl FROM elsewhere d JOIN pg_foreign_server o ON d.classid = 'pg_foreign_server'::regclass AND o.oid = d.objid
    UNION SELECT d.classid, d.objid, 0, spcowner, spcacl FROM elsewhere d JOIN pg_tablespace o ON d.classid = 'pg_tablespace'::regclass AND o.oid = d.objid
    -- Parameters (15 and later) belong to the bootstrap superuser; their catalog cannot be named where it is not there.
    UNION SELECT d.classid, d.objid, 0, 10, NULL FROM elsewhere d WHERE d.classid = to_regclass('pg_catalog.pg_parameter_acl')
    UNION SELECT d.classid, d.objid, 0, d.defaclrole, d.defaclacl FROM elsewhere d WHERE d.defaclrole IS NOT NULL
)
SELECT e.rolname::text AS role, e.nspname::text AS schema, i.type AS kind, i.identity, e.deptype = 'o' AS owned,
       a.attname::text AS column, o.rolname::text AS owner, nullif(g.rolname, o.rolname)::text AS grantor,
       coalesce(pg_has_role($3::text::name, coalesce(g.oid, o.oid), 'USAGE'), false) AS ours,
       CASE e.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
            WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS plural,
       coalesce(string_agg(DISTINCT x.privilege_type, ', ' ORDER BY x.privilege_type), 'SET or ALTER SYSTEM') AS privileges
FROM elsewhere e
CROSS JOIN LATERAL pg_identify_object(e.classid, e.objid, 0) i
LEFT JOIN acl ON e.deptype = 'a' AND acl.classid = e.classid AND acl.objid = e.objid AND acl.objsubid = e.objsubid
LEFT JOIN pg_attribute a ON e.classid = 'pg_class'::regclass AND a.attrelid = e.objid AND a.attnum = e.objsubid AND e.objsubid <> 0
LEFT JOIN LATERAL aclexplode(acl.items) x ON x.grantee = e.role
LEFT JOIN pg_roles o ON o.oid = acl.owner
LEFT JOIN pg_roles g ON g.oid = x.grantor
-- A role may be there as a grantor only.
WHERE (e.deptype = 'o' OR x.grantee IS NOT NULL OR acl.items IS NULL AND acl.owner IS NOT NULL)
  -- What is gone since has neither.
  AND i.type IS NOT NULL AND i.identity IS NOT NULL
GROUP BY e.rolname, e.nspname, i.type, i.identity, e.deptype, a.attname, o.oid, o.rolname, g.oid, g.rolname, e.defaclobjtype
ORDER BY e.rolname, i.type, i.identity, a.attname, g.rolname
