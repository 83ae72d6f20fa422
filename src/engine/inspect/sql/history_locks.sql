-- Who keeps a reader from the table of this name ($2) in these schemas ($1)? A row for each schema. Only ACCESS EXCLUSIVE does,
-- and whoever waits for it ahead of us. A prepared transaction has no session, and is known by the lock on its own number.
-- The identifier as bytes: it is in the encoding of whichever database it was prepared in (see prepared.rs).
WITH locks AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks)
SELECT DISTINCT ON (n.nspname) n.nspname::text AS schema, l.pid, coalesce(a.usename, p.owner)::text AS role,
  pg_catalog.replace(p.gid, '\', '\\')::bytea AS gid
FROM locks l
JOIN pg_catalog.pg_class c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
LEFT JOIN locks x ON l.pid IS NULL AND x.pid IS NULL AND x.granted AND x.locktype = 'transactionid'
  AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
  AND n.nspname = ANY ($1::text[]::name[]) AND c.relname = $2
ORDER BY n.nspname, l.granted DESC, l.pid
