-- Whose secrets are whose. A copy of a database has all that the original has, and so has its registry: what tells them apart
-- is written into the secrets. The fleet is one database's, until a person says that the database has moved; then it gets
-- another, and the former ones tell which secrets are still to be marked with it. Of where it was reached, and of the server's
-- start, the last apply's is kept: a copy is reached elsewhere, and was started by itself.
ALTER TABLE tenantry.identity
    ADD COLUMN fleet text NOT NULL DEFAULT pg_catalog.gen_random_uuid()::text,
    ADD COLUMN former_fleets text[] NOT NULL DEFAULT '{}',
    ADD COLUMN reached text[] NOT NULL DEFAULT '{}',
    ADD COLUMN server_started timestamptz;

-- Each run that wrote secrets, from before it wrote the first: a secret that another run wrote, of the same fleet, was written
-- by a copy of this database, or by this one before it was set back to an earlier state.
CREATE TABLE tenantry.runs (
    run text PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid()::text,
    began timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE tenantry.runs IS 'The runs that wrote secrets; each secret names the one that wrote it.';

-- A role that only looks was granted the tables that there were: it sees those that come since as well.
DO $$ DECLARE reader text; BEGIN
    FOR reader IN SELECT DISTINCT a.grantee::regrole::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'tenantry.tenants'::regclass AND a.privilege_type = 'SELECT' AND a.grantee NOT IN (0, c.relowner) ORDER BY 1
    LOOP
        EXECUTE 'GRANT SELECT ON tenantry.runs TO ' || reader;
    END LOOP;
END $$;
