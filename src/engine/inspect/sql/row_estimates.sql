-- About how many rows do these schemas ($1) hold, by what the last VACUUM or ANALYZE of each table counted? NULL: none of its tables
-- was ever counted. A partitioned table's rows are those of its partitions.
SELECT n.nspname::text AS name,
       pg_catalog.sum(c.reltuples::pg_catalog.float8) FILTER (WHERE c.reltuples >= 0)::pg_catalog.int8 AS estimate
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
WHERE n.nspname = ANY ($1::text[]::name[])
GROUP BY n.nspname
ORDER BY n.nspname
