-- The same from what the last VACUUM or ANALYZE counted: takes no lock on anybody's table.
SELECT n.nspname::text AS name,
       coalesce(sum(greatest(c.relpages, 0)::bigint * current_setting('block_size')::bigint), 0)::bigint AS bytes
FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'm', 'i', 't')
WHERE n.nspname = ANY ($1::text[]::name[])
GROUP BY n.nspname
ORDER BY n.nspname
