-- This session, which holds the advisory lock of this key, holds the lock from COMMIT on.
UPDATE tenantry.apply_lock
SET fence = fence + 1, backend = pg_catalog.pg_backend_pid(), token = {token}, username = session_user,
    client_address = pg_catalog.inet_client_addr()::text, application_name = pg_catalog.current_setting('application_name'),
    since = pg_catalog.clock_timestamp()
RETURNING fence
