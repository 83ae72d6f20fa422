-- This session holds the lock from COMMIT on.
UPDATE tenantry.apply_lock l
SET fence = l.fence + 1, backend = a.pid, backend_start = a.backend_start, username = session_user,
    client_address = a.client_addr::text, application_name = a.application_name, since = pg_catalog.clock_timestamp()
FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a
RETURNING l.fence
