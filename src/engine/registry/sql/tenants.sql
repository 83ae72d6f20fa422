-- What did the last apply leave of each tenant, or of whoever has one of these names?
SELECT tenant, schema_name, schema_oid, username, owner, access, state, on_remove, protected, password_source,
       secret_store, secret_path, secret_version, secret_username, secret_schema, secret_host, secret_port, secret_database,
       created_at, password_changed_at,
       -- Through to_jsonb: a registry that waits for its upgrade has no such column yet.
       to_jsonb(t) ->> 'deputy' AS deputy,
       to_jsonb(t) ->> 'secret_place' AS secret_place,
       to_jsonb(t) ->> 'secret_sslmode' AS secret_sslmode,
       to_jsonb(t) ->> 'history_table' AS history_table,
       coalesce((to_jsonb(t) ->> 'suspended')::boolean, false) AS suspended,
       to_jsonb(t) ->> 'rotation' AS rotation,
       to_jsonb(t) ->> 'declared_by' AS declared_by
FROM tenantry.tenants t
WHERE $1::text[] IS NULL OR tenant = ANY ($1) OR schema_name = ANY ($2::text[]) OR username = ANY ($3::text[]) OR owner = ANY ($3)
ORDER BY tenant
