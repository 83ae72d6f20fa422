-- What ALTER DEFAULT PRIVILEGES gave on what was just made in schema tenantry. Tables named $1; $2 is the role that every tenant
-- joins. What stays is what a role that only looks may have (plan/registry.rs): USAGE, SELECT, not to be passed on, and nothing
-- for PUBLIC or a tenant. The tables go to the schema's owner, when that is no superuser: another one may have upgraded them.
DECLARE item record;
BEGIN
    FOR item IN
        WITH k AS (
            SELECT n.oid, n.nspowner, n.nspacl, r.rolname, r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'tenantry'
        ), objects AS (
            SELECT 0 AS place, 'SCHEMA tenantry' AS name, nspowner AS owner, nspacl AS acl, 'USAGE' AS look, 'nothing' AS builtin FROM k
            UNION ALL
            SELECT 1, format('%s tenantry.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname), c.relowner, c.relacl, 'SELECT', 'nothing'
            FROM k JOIN pg_class c ON c.relnamespace = k.oid
            WHERE c.relkind IN ('r', 'p') AND c.relname = ANY ($1::text[]::name[])
               OR c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid
                                              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                                                AND d.deptype IN ('a', 'i') AND t.relname = ANY ($1::text[]::name[]) AND t.relnamespace = k.oid)
            UNION ALL
            SELECT 2, 'FUNCTION tenantry.refuse_change()', p.proowner, p.proacl, 'EXECUTE', 'EXECUTE'
            FROM k JOIN pg_proc p ON p.pronamespace = k.oid WHERE p.proname = 'refuse_change' AND p.pronargs = 0
        )
        SELECT o.place, o.name, x.privilege_type, x.is_grantable, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END AS grantee,
               x.privilege_type = CASE x.grantee WHEN 0 THEN o.builtin ELSE o.look END
               AND NOT EXISTS (SELECT FROM pg_roles g WHERE g.rolname = $2 AND x.grantee <> 0 AND pg_has_role(x.grantee, g.oid, 'MEMBER')
                               AND NOT EXISTS (SELECT FROM pg_roles s WHERE s.oid = x.grantee AND s.rolsuper)) AS stays
        FROM objects o CROSS JOIN LATERAL aclexplode(o.acl) x
        WHERE x.grantee <> o.owner
        ORDER BY o.place, o.name, 5, x.privilege_type
    LOOP
        IF NOT item.stays THEN
            EXECUTE format('REVOKE %s ON %s FROM %s CASCADE', item.privilege_type, item.name, item.grantee);
        ELSIF item.is_grantable THEN
            EXECUTE format('REVOKE GRANT OPTION FOR %s ON %s FROM %s CASCADE', item.privilege_type, item.name, item.grantee);
        END IF;
    END LOOP;
    FOR item IN
        SELECT format('TABLE tenantry.%I', c.relname) AS name, r.rolname AS owner
        FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner JOIN pg_class c ON c.relnamespace = n.oid
        WHERE n.nspname = 'tenantry' AND NOT r.rolsuper AND c.relkind IN ('r', 'p') AND c.relname = ANY ($1::text[]::name[]) AND c.relowner <> n.nspowner
        UNION ALL
        SELECT 'FUNCTION tenantry.refuse_change()', r.rolname
        FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner JOIN pg_proc p ON p.pronamespace = n.oid
        WHERE n.nspname = 'tenantry' AND NOT r.rolsuper AND p.proname = 'refuse_change' AND p.pronargs = 0 AND p.proowner <> n.nspowner
        ORDER BY 1
    LOOP
        EXECUTE format('ALTER %s OWNER TO %I', item.name, item.owner);
    END LOOP;
END
