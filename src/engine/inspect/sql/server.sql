-- Which cluster and database is this, and what may we do in it? "We" is the role of the session, unless that is neither
-- superuser nor CREATEROLE: it may look, and sees what the owner of the registry would do. The registry's tables are named $1,
-- the role that every tenant joins $2.
SELECT current_setting('server_version_num')::int AS version_num,
       (SELECT system_identifier FROM pg_control_system())::text AS system_identifier,
       current_setting('max_locks_per_transaction')::int8
         * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8) AS lock_slots,
       -- reserved_connections is there from 16 on.
       current_setting('max_connections')::int8 - current_setting('superuser_reserved_connections')::int8
         - coalesce(current_setting('reserved_connections', true)::int8, 0) AS connection_slots,
       -- What writes each statement of this session to the server's log (manual, "Error Reporting and Logging").
       ARRAY(SELECT s.name || ' = ' || s.value
             FROM (VALUES ('log_statement', current_setting('log_statement'), 'none'),
                          ('log_min_duration_statement', current_setting('log_min_duration_statement'), '-1'),
                          ('log_min_duration_sample', current_setting('log_min_duration_sample'), '-1')) AS s (name, value, quiet)
             WHERE s.value <> s.quiet ORDER BY s.name) AS logged_by,
       -- Of this session; the default of what secrets ask for.
       coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS encrypted,
       pg_is_in_recovery() AS in_recovery,
       d.datname::text AS database,
       r.rolname::text AS admin,
       nullif(me.rolname, r.rolname)::text AS reader,
       has_schema_privilege(k.oid, 'USAGE')
       AND (SELECT bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class c
            WHERE c.relnamespace = k.oid AND c.relkind = 'r' AND c.relname = ANY ($1::text[]::name[]) AND c.relname NOT IN ('apply_lock', 'audit_log')) AS registry_is_readable,
       r.rolsuper AS superuser,
       r.rolcreaterole AS createrole,
       has_database_privilege(r.oid, d.oid, 'CREATE') AS can_create_schema,
       r.rolsuper OR pg_has_role(r.oid, d.datdba, 'USAGE') AS owns_database,
       has_database_privilege(r.oid, d.oid, 'CONNECT WITH GRANT OPTION') AS may_grant_connect,
       has_database_privilege(r.oid, d.oid, 'TEMPORARY WITH GRANT OPTION') AS may_grant_temp,
       coalesce(r.rolsuper OR pg_has_role(r.oid, p.nspowner, 'USAGE'), false) AS owns_public,
       coalesce(d.datacl, acldefault('d', d.datdba))::text[] AS database_acl,
       p.oid IS NOT NULL AS has_public,
       coalesce(p.nspacl, acldefault('n', p.nspowner))::text[] AS public_acl,
       -- Another schema of this name, not made by us, must not be taken for ours.
       k.oid IS NOT NULL AS has_tenantry_schema,
       -- An empty one is as good as none, where it is ours and nobody else can have put anything there meanwhile.
       k.oid IS NOT NULL AND pg_has_role(r.oid, k.nspowner, 'USAGE')
       AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.refclassid = 'pg_namespace'::regclass AND e.refobjid = k.oid
                       AND e.classid <> 'pg_default_acl'::regclass)
       AND NOT EXISTS (SELECT FROM aclexplode(k.nspacl) x WHERE x.privilege_type = 'CREATE' AND x.grantee NOT IN (k.nspowner, r.oid))
           AS tenantry_schema_is_empty,
       -- Not by to_regclass: it fails where we have no USAGE on the schema.
       ARRAY(SELECT t.name FROM unnest($1::text[]) t (name)
             WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = k.oid AND c.relname = t.name::name)
             ORDER BY t.name COLLATE "C") AS missing_tables,
       keeper.rolname::text AS keeper, keeper.rolsuper AS keeper_is_superuser,
       -- Nor one that a role of no rank made: a view under our table's name would be its code, run by us.
       CASE WHEN NOT (keeper.rolsuper OR keeper.rolcreaterole OR keeper.oid = me.oid OR keeper.oid = d.datdba)
            THEN keeper.rolname::text END AS strange_owner,
       strange.name AS strange_table, strange.owner AS strange_table_owner
FROM pg_database d
JOIN pg_roles me ON me.rolname = current_user
LEFT JOIN pg_namespace p ON p.nspname = 'public'
LEFT JOIN pg_namespace k ON k.nspname = 'tenantry'
LEFT JOIN pg_roles keeper ON keeper.oid = k.nspowner
-- Nor a table under one of our names that is no table, or that a role of no rank owns, or a tenant of any: it could have
-- written what it likes there, and made columns that compute.
LEFT JOIN LATERAL (
    SELECT format('tenantry.%I', c.relname) AS name, o.rolname::text AS owner
    FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
    WHERE c.relnamespace = k.oid AND c.relname = ANY ($1::text[]::name[])
      AND (c.relkind <> 'r' OR NOT (o.rolsuper OR o.rolcreaterole OR o.oid IN (k.nspowner, me.oid, d.datdba))
           OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                      WHERE g.rolname = $2 AND m.member = o.oid
                        AND (coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, true))))
    ORDER BY c.relname LIMIT 1
) strange ON true
JOIN pg_roles r ON r.oid = CASE WHEN me.rolsuper OR me.rolcreaterole THEN me.oid ELSE coalesce(keeper.oid, me.oid) END
WHERE d.datname = current_database()
ORDER BY d.datname
