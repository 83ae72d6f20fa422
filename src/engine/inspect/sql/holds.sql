-- What would PostgreSQL name when it refuses to drop these roles ($1)? Whatever pg_shdepend holds of them that does not go
-- with the tenant's schema ($2, pairwise): what they own elsewhere, privileges granted to them by whomever, default
-- privileges of others, policies that name them; in this database, and what is the cluster's. And may we ($3) act as the
-- role that takes it away: whoever granted it, or owns the policy's table?
-- Left out, because DROP OWNED and DROP ROLE take it along whoever we are: memberships that they granted (16 and later),
-- initial privileges (17 and later), their own default privileges and user mappings, temporary objects; and their large
-- objects, which a removal unlinks.
-- pg_has_role knows SET from 16 on; before, a member may SET ROLE.
WITH role AS (
    SELECT r.oid, r.rolname, n.oid AS own
    FROM unnest($1::text[], $2::text[]) AS t (role, schema)
    JOIN pg_roles r ON r.rolname = t.role::name
    LEFT JOIN pg_namespace n ON n.nspname = t.schema::name
), dependency AS (
    SELECT r.oid AS role, r.rolname, r.own, d.classid, d.objid, d.objsubid, d.deptype, f.defaclrole, f.defaclobjtype, f.defaclacl,
           y.polrelid, y.polname, y.polroles,
           coalesce(c.relnamespace, p.pronamespace, t.typnamespace, op.oprnamespace, co.collnamespace, cv.connamespace,
                    td.dictnamespace, tc.cfgnamespace, oc.opcnamespace, ofa.opfnamespace, st.stxnamespace, n.oid, yc.relnamespace,
                    nullif(f.defaclnamespace, 0)) AS namespace
    FROM role r
    JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
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
    LEFT JOIN pg_policy y ON d.classid = 'pg_policy'::regclass AND y.oid = d.objid
    LEFT JOIN pg_class yc ON yc.oid = y.polrelid
    WHERE d.deptype IN ('a', 'o', 'r')
      AND d.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
      AND d.classid NOT IN ('pg_auth_members'::regclass, 'pg_user_mapping'::regclass)
      AND NOT (d.classid = 'pg_largeobject'::regclass AND d.deptype = 'o')
      AND NOT (d.classid = 'pg_default_acl'::regclass AND (d.deptype = 'o' OR f.defaclrole = r.oid))
), elsewhere AS MATERIALIZED (
    SELECT d.*, s.nspname
    FROM dependency d LEFT JOIN pg_namespace s ON s.oid = d.namespace
    WHERE d.namespace IS DISTINCT FROM d.own AND (s.nspname IS NULL OR s.nspname !~ '^pg_(toast_)?temp_')
       OR d.namespace IS NULL
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
    UNION SELECT d.classid, d.objid, 0, lomowner, lomacl FROM elsewhere d JOIN pg_largeobject_metadata o ON d.classid = 'pg_largeobject'::regclass AND o.oid = d.objid
    -- Parameters (15 and later) belong to the bootstrap superuser; their catalog cannot be named where it is not there.
    UNION SELECT d.classid, d.objid, 0, 10, NULL FROM elsewhere d WHERE d.classid = to_regclass('pg_catalog.pg_parameter_acl')
    UNION SELECT d.classid, d.objid, 0, d.defaclrole, d.defaclacl FROM elsewhere d WHERE d.defaclrole IS NOT NULL
), held AS (
    SELECT e.rolname::text AS role, e.nspname::text AS schema, i.type AS kind, i.identity,
           CASE WHEN e.deptype = 'o' THEN 'owned' WHEN e.deptype = 'r' THEN 'policy' WHEN e.defaclrole IS NOT NULL THEN 'future' ELSE 'granted' END AS how,
           CASE e.deptype WHEN 'a' THEN coalesce(x.grantor, acl.owner) WHEN 'r' THEN yc.relowner END AS by,
           CASE e.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
                WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS plural,
           e.polname::text AS policy, e.polrelid, e.polroles, e.role AS role_oid, e.namespace,
           x.privilege_type AS privilege
    FROM elsewhere e
    CROSS JOIN LATERAL pg_identify_object(CASE WHEN e.deptype = 'r' THEN 'pg_class'::regclass::oid ELSE e.classid END,
                                          CASE WHEN e.deptype = 'r' THEN e.polrelid ELSE e.objid END, 0) i
    LEFT JOIN acl ON e.deptype = 'a' AND acl.classid = e.classid AND acl.objid = e.objid AND acl.objsubid = e.objsubid
    LEFT JOIN LATERAL aclexplode(acl.items) x ON x.grantee = e.role
    LEFT JOIN pg_class yc ON yc.oid = e.polrelid
    -- What is gone since has neither. A role may be there as a grantor only: DROP OWNED takes its grant option.
    WHERE i.type IS NOT NULL AND i.identity IS NOT NULL
      AND (e.deptype <> 'a' OR x.grantee IS NOT NULL OR acl.items IS NULL AND acl.owner IS NOT NULL)
)
SELECT h.role, h.schema, h.kind, h.identity, h.how, h.plural, h.policy, b.rolname::text AS by,
       ARRAY(SELECT p.rolname::text FROM unnest(h.polroles) o JOIN pg_roles p ON p.oid = o WHERE o <> h.role_oid ORDER BY 1) AS others,
       coalesce(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN pg_has_role($3::text::name, h.by, 'SET')
                     ELSE pg_has_role($3::text::name, h.by, 'MEMBER') END, false) AS ours,
       -- REVOKE and ALTER POLICY look the name up.
       h.namespace IS NULL OR h.by IS NULL OR h.kind = 'schema' OR h.how = 'future'
           OR has_schema_privilege(h.by, h.namespace, 'USAGE') AS reaches,
       coalesce(string_agg(DISTINCT h.privilege, ', ' ORDER BY h.privilege), 'SET or ALTER SYSTEM') AS privileges
FROM held h LEFT JOIN pg_roles b ON b.oid = h.by
GROUP BY h.role, h.schema, h.kind, h.identity, h.how, h.plural, h.policy, h.by, b.rolname, h.polroles, h.role_oid, h.namespace
ORDER BY h.role, h.kind, h.identity, h.how, h.plural, h.policy, b.rolname
