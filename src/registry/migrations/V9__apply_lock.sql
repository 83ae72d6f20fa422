-- Who may change tenants now. A row of ours, because an advisory lock is anybody's to take. It is held for as long as the
-- session named here is there; the fence grows with each holder, so that whoever works under an older one finds out.
CREATE TABLE tenantry.apply_lock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    fence bigint NOT NULL,
    backend integer NOT NULL,
    backend_start timestamptz NOT NULL,
    username text NOT NULL,
    client_address text,
    application_name text,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE tenantry.apply_lock IS 'The session that may change tenants, while it lasts.';
-- Whoever makes or upgrades these tables has the advisory lock, and goes on as the first holder.
INSERT INTO tenantry.apply_lock (fence, backend, backend_start, username, client_address, application_name)
SELECT 1, a.pid, a.backend_start, session_user, a.client_addr::text, a.application_name
FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a;
