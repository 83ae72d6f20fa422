-- Who holds the lock of apply, and is that session still there?
SELECT l.fence, l.backend, l.username, coalesce(l.client_address, 'a local socket') AS client_address,
       coalesce((SELECT a.application_name FROM pg_catalog.pg_stat_get_activity(l.backend) a WHERE a.pid = l.backend),
                l.application_name, '') AS application_name,
       pg_catalog.to_char(l.since, 'YYYY-MM-DD HH24:MI:SS TZ') AS since,
       l.backend = pg_catalog.pg_backend_pid() AS is_ours,
       EXISTS (SELECT FROM pg_catalog.pg_locks k
               WHERE k.locktype = 'advisory' AND k.granted AND k.pid = l.backend AND k.objsubid = 1
                 AND k.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
                 AND (k.classid::pg_catalog.int8 << 32) | k.objid::pg_catalog.int8 = l.token) AS is_alive
FROM tenantry.apply_lock l
