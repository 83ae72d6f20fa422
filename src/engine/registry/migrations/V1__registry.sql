-- Which database this registry was made for: a copy in the same cluster would share, and break, the original's roles.
CREATE TABLE tenantry.identity (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    system_identifier text NOT NULL,
    database_oid oid NOT NULL
);
INSERT INTO tenantry.identity (system_identifier, database_oid)
SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database();
COMMENT ON TABLE tenantry.identity IS 'The cluster and database that the roles in tenantry.tenants belong to.';

-- What the last apply left of each tenant. No password, verifier or token is ever stored here.
CREATE TABLE tenantry.tenants (
    tenant text PRIMARY KEY,
    schema_name text NOT NULL,
    schema_oid oid,
    username text NOT NULL,
    owner text NOT NULL,
    access text NOT NULL CHECK (access IN ('full', 'owner', 'readwrite', 'readonly')),
    state text NOT NULL CHECK (state IN ('active', 'retained', 'removed')),
    on_remove text NOT NULL CHECK (on_remove IN ('archive', 'drop', 'retain')),
    protected boolean NOT NULL,
    password_source text NOT NULL CHECK (password_source IN ('given', 'generated')),
    secret_store text NOT NULL,
    secret_path text NOT NULL,
    secret_version text,
    secret_username text NOT NULL,
    secret_schema text NOT NULL,
    secret_host text NOT NULL,
    secret_port integer NOT NULL,
    secret_database text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    password_changed_at timestamptz
);
CREATE UNIQUE INDEX tenants_schema_name ON tenantry.tenants (schema_name) WHERE state <> 'removed';
CREATE UNIQUE INDEX tenants_username ON tenantry.tenants (username) WHERE state <> 'removed';
COMMENT ON TABLE tenantry.tenants IS 'Only what is named here is ever altered or dropped by tenantry.';

CREATE TABLE tenantry.audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    session_username name NOT NULL DEFAULT session_user,
    client_address inet DEFAULT inet_client_addr(),
    tenantry_version text NOT NULL,
    tenant text NOT NULL,
    verb text NOT NULL,
    changes jsonb NOT NULL
);
COMMENT ON TABLE tenantry.audit_log IS 'Append-only: every change tenantry made, in the transaction that made it.';
CREATE INDEX audit_log_tenant ON tenantry.audit_log (tenant, id);

CREATE FUNCTION tenantry.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'tenantry.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenantry.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION tenantry.refuse_change();
