-- The tables of these schemas ($1) of $2 bytes and more, from what the last VACUUM or ANALYZE counted: takes no lock on
-- anybody's table.
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]::name[]) AND c.relkind = 'r'
  AND c.relpages::bigint * current_setting('block_size')::bigint >= $2
ORDER BY n.nspname, c.relname
