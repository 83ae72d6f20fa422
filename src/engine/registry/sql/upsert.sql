-- What an apply leaves of a tenant. An owner role that a row names is known by that.
WITH known AS (DELETE FROM tenantry.former_owners WHERE role = $4)
INSERT INTO tenantry.tenants (tenant, schema_name, username, owner, access, state, on_remove, protected, password_source,
                              secret_store, secret_path, secret_version, secret_username, secret_schema, secret_host, secret_port,
                              secret_database, secret_place, secret_sslmode, password_changed_at, history_table, suspended, rotation,
                              declared_by, schema_oid)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
        CASE WHEN $20 THEN pg_catalog.now() END, $21, $22, $23, $24,
        (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $2::text::name))
ON CONFLICT (tenant) DO UPDATE
SET schema_name = excluded.schema_name, username = excluded.username, owner = excluded.owner, access = excluded.access,
    state = excluded.state, on_remove = excluded.on_remove, protected = excluded.protected,
    password_source = excluded.password_source, secret_store = excluded.secret_store, secret_path = excluded.secret_path,
    secret_version = excluded.secret_version, secret_username = excluded.secret_username,
    secret_schema = excluded.secret_schema, secret_host = excluded.secret_host, secret_port = excluded.secret_port,
    secret_database = excluded.secret_database, secret_place = excluded.secret_place,
    secret_sslmode = excluded.secret_sslmode, history_table = excluded.history_table, suspended = excluded.suspended,
    rotation = excluded.rotation, declared_by = excluded.declared_by, updated_at = pg_catalog.now(),
    schema_oid = excluded.schema_oid, deputy = NULL,
    password_changed_at = coalesce(excluded.password_changed_at, tenants.password_changed_at)
