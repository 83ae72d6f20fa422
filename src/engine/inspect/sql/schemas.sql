-- These schemas ($1): owner, privileges, number of tables and relations.
SELECT n.nspname::text AS name, n.oid, r.rolname::text AS owner,
       coalesce(n.nspacl, acldefault('n', n.nspowner))::text[] AS acl,
       coalesce(c.tables, 0) AS tables, coalesce(c.relations, 0) AS relations
FROM pg_namespace n
JOIN pg_roles r ON r.oid = n.nspowner
LEFT JOIN (
    SELECT relnamespace, count(*) FILTER (WHERE relkind IN ('r', 'p')) AS tables, count(*) AS relations
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = ANY ($1::text[]::name[])
    GROUP BY relnamespace
) c ON c.relnamespace = n.oid
WHERE n.nspname = ANY ($1::text[]::name[])
ORDER BY n.nspname
