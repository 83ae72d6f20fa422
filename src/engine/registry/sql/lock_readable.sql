-- May we read who holds the lock of apply? NULL: the registry is of an older form, and an advisory lock ($1) is all there is.
SELECT (SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'tenantry' AND c.relname = 'apply_lock') AS is_readable,
       EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (l.classid::int8 << 32) | l.objid::int8 = $1) AS advisory
