-- What was made in Vault for a tenant, from before it is made until after it is deleted: a policy, and a role to log in with. Vault
-- has no room for whose they are. The mount is of the role's auth method; a policy has none.
CREATE TABLE tenantry.vault_access (
    namespace text NOT NULL,
    kind text NOT NULL,
    mount text NOT NULL,
    name text NOT NULL,
    tenant text NOT NULL,
    PRIMARY KEY (namespace, kind, mount, name)
);
COMMENT ON TABLE tenantry.vault_access IS 'Policies and roles in Vault that were made for tenants, or were about to be.';

-- A role that only looks was granted the tables that there were: it sees those that come since as well.
DO $$ DECLARE reader text; BEGIN
    FOR reader IN SELECT DISTINCT a.grantee::pg_catalog.regrole::text
        FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
        WHERE c.oid OPERATOR(pg_catalog.=) 'tenantry.tenants'::pg_catalog.regclass AND a.privilege_type = 'SELECT'
        AND a.grantee NOT IN (0, c.relowner) ORDER BY 1
    LOOP
        EXECUTE 'GRANT SELECT ON tenantry.vault_access TO ' OPERATOR(pg_catalog.||) reader;
    END LOOP;
END $$;
