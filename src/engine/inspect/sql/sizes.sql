-- How large are these schemas ($1) on disk? pg_total_relation_size takes ACCESS SHARE on each table, so a tenant that
-- holds its tables locked can keep us waiting: run under lock_timeout, with sizes_estimated.sql to fall back on.
SELECT n.nspname::text AS name, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'm')
WHERE n.nspname = ANY ($1::text[]::name[])
GROUP BY n.nspname
ORDER BY n.nspname
