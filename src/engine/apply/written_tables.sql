-- Which tables may have trigger events of this transaction pending? Those it wrote to: an event is queued under a
-- ROW EXCLUSIVE lock or a stronger one, which is held until the transaction, or the subtransaction together with its
-- events, ends. Whoever owns the table, whatever its schema and name are by now, and whatever became of the trigger.
-- The registry's own ($1) are left out: every transaction locks them, which is not to make one wait for another, and the look
-- that comes with that lock (registry/guard.rs) found nobody's triggers on them.
-- relhastriggers is true from the first trigger or foreign key on, on either side of it; only VACUUM clears it.
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS name
FROM pg_locks l
JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.locktype = 'relation' AND l.granted AND l.pid = pg_backend_pid()
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode NOT IN ('AccessShareLock', 'RowShareLock')
  AND c.relhastriggers AND c.relkind IN ('r', 'p') AND n.nspname <> 'pg_catalog'
  AND NOT (n.nspname = 'tenantry' AND c.relname = ANY ($1::text[]::name[]))
ORDER BY schema, name
