-- These schemas ($1): owner, privileges, number of tables and relations; sizes for those in $2 only, because a size
-- is a look at files, and waits for whoever holds a table exclusively: such a table counts for nothing.
WITH held AS (
    SELECT relation AS oid FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT n.nspname::text AS name, r.rolname::text AS owner,
       coalesce(n.nspacl, acldefault('n', n.nspowner))::text[] AS acl,
       coalesce(c.tables, 0) AS tables, coalesce(c.relations, 0) AS relations, coalesce(c.bytes, 0)::bigint AS bytes
FROM pg_namespace n
JOIN pg_roles r ON r.oid = n.nspowner
LEFT JOIN (
    SELECT relnamespace, count(*) FILTER (WHERE relkind IN ('r', 'p')) AS tables, count(*) AS relations,
           sum(CASE WHEN relkind IN ('r', 'm') AND s.nspname = ANY ($2::text[]::name[])
                      AND c.oid NOT IN (SELECT held.oid FROM held) THEN pg_total_relation_size(c.oid) END) AS bytes
    FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = ANY ($1::text[]::name[])
    GROUP BY relnamespace
) c ON c.relnamespace = n.oid
WHERE n.nspname = ANY ($1::text[]::name[])
ORDER BY n.nspname
