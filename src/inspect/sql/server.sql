-- Which cluster and database is this, and what may we do in it?
SELECT current_setting('server_version_num')::int AS version_num,
       (SELECT system_identifier FROM pg_control_system())::text AS system_identifier,
       d.datname::text AS database,
       r.rolname::text AS admin,
       r.rolsuper AS superuser,
       r.rolcreaterole AS createrole,
       has_database_privilege(d.oid, 'CREATE') AS can_create_schema,
       r.rolsuper OR pg_has_role(d.datdba, 'USAGE') AS owns_database,
       has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS may_grant_connect,
       coalesce(r.rolsuper OR pg_has_role(p.nspowner, 'USAGE'), false) AS owns_public,
       coalesce(d.datacl, acldefault('d', d.datdba))::text[] AS database_acl,
       p.oid IS NOT NULL AS has_public,
       coalesce(p.nspacl, acldefault('n', p.nspowner))::text[] AS public_acl,
       to_regclass('tenantry.tenants') IS NOT NULL AS has_registry,
       -- Another schema of this name, not made by us, must not be taken for ours.
       to_regnamespace('tenantry') IS NOT NULL AS has_tenantry_schema,
       -- Nor one that a role of no rank made: a view under our table's name would be its code, run by us.
       (SELECT o.rolname::text FROM pg_namespace t JOIN pg_roles o ON o.oid = t.nspowner
        WHERE t.nspname = 'tenantry' AND NOT (o.rolsuper OR o.rolcreaterole OR o.rolname = current_user OR o.oid = d.datdba)
       ) AS strange_owner
FROM pg_database d
CROSS JOIN pg_roles r
LEFT JOIN pg_namespace p ON p.nspname = 'public'
WHERE d.datname = current_database() AND r.rolname = current_user
ORDER BY d.datname
