-- Who may write to one of these relations ($1), or put another one in its place, and is a tenant: a member of one of the roles that
-- every tenant joins ($2), or a role that a tenant has ($3). PUBLIC is every tenant. Roles that only administer a group are the administrators'.
WITH tenants AS (
    SELECT r.oid, r.rolname
    FROM pg_catalog.pg_roles r
    WHERE NOT r.rolsuper AND r.rolname <> current_user
      AND (r.rolname = ANY ($3) OR EXISTS (
            SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid AND g.rolname = ANY ($2)
              AND (coalesce((pg_catalog.to_jsonb(m) ->> 'inherit_option')::boolean, true)
                   OR (pg_catalog.to_jsonb(m) ->> 'set_option')::boolean)))
), writers(relation, role) AS (
    SELECT c.oid, a.grantee
    FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
    WHERE c.oid = ANY ($1) AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
    UNION
    SELECT t.attrelid, a.grantee
    FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a
    WHERE t.attrelid = ANY ($1) AND a.privilege_type IN ('INSERT', 'UPDATE')
    UNION
    SELECT c.oid, c.relowner FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1)
    UNION
    SELECT c.oid, n.nspowner
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY ($1)
    UNION
    SELECT c.oid, r.oid
    FROM pg_catalog.pg_class c, pg_catalog.pg_roles r
    WHERE c.oid = ANY ($1) AND r.rolname = 'pg_write_all_data'
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
       coalesce(r.rolname::pg_catalog.text, 'PUBLIC') AS role,
       w.role = c.relowner OR w.role = n.nspowner AS owns,
       coalesce((SELECT pg_catalog.min(t.rolname::pg_catalog.text) FROM tenants t WHERE pg_catalog.pg_has_role(t.oid, w.role, 'MEMBER')), 'PUBLIC') AS tenant
FROM writers w
JOIN pg_catalog.pg_class c ON c.oid = w.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles r ON r.oid = w.role
WHERE w.role = 0 OR EXISTS (SELECT FROM tenants t WHERE pg_catalog.pg_has_role(t.oid, w.role, 'MEMBER'))
ORDER BY name, role
