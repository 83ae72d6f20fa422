-- Who holds the lock of apply, and is that session still there? Of another role's session the start may be hidden from us
-- (pg_read_all_stats): then its number and its role tell.
SELECT l.fence, l.backend, l.username, coalesce(l.client_address, 'a local socket') AS client_address,
       coalesce(l.application_name, '') AS application_name,
       pg_catalog.to_char(l.since, 'YYYY-MM-DD HH24:MI:SS TZ') AS since,
       l.backend = pg_catalog.pg_backend_pid() AS is_ours,
       EXISTS (SELECT FROM pg_catalog.pg_stat_get_activity(l.backend) a
               WHERE a.pid = l.backend AND coalesce(a.backend_start = l.backend_start, true)
                 AND a.usesysid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = l.username::pg_catalog.name)) AS is_alive
FROM tenantry.apply_lock l
