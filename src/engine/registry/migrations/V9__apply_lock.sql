-- Who may change tenants now. A row of ours, because an advisory lock is anybody's to take. It is held for as long as the
-- session named here is there, which is told by its backend's number together with an advisory lock of that backend's whose
-- key nobody else knew before: numbers of backends are given again. The fence grows with each holder, so that whoever works
-- under an older one finds out.
CREATE TABLE tenantry.apply_lock (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    fence bigint NOT NULL,
    backend integer NOT NULL,
    token bigint NOT NULL,
    username text NOT NULL,
    client_address text,
    application_name text,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE tenantry.apply_lock IS 'The session that may change tenants, while it lasts.';
-- Whoever makes or upgrades these tables has the advisory lock that older versions take ("tenantry" in ASCII), and goes on
-- as the first holder.
INSERT INTO tenantry.apply_lock (fence, backend, token, username, client_address, application_name)
SELECT 1, pg_catalog.pg_backend_pid(), 8387231245791425145, session_user, pg_catalog.inet_client_addr()::text,
       pg_catalog.current_setting('application_name');

-- A role that only looks was granted the tables that there were: it sees those that come since as well.
DO $$ DECLARE reader text; BEGIN
    FOR reader IN SELECT DISTINCT a.grantee::regrole::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'tenantry.tenants'::regclass AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner) ORDER BY 1
    LOOP
        EXECUTE 'GRANT SELECT ON tenantry.apply_lock, tenantry.migration_sets, tenantry.migration_objects TO ' || reader;
    END LOOP;
END $$;
