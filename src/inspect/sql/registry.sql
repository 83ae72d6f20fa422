-- What did the last apply leave of each tenant?
SELECT tenant, schema_name, schema_oid, username, owner, access, state, on_remove, protected, password_source,
       secret_store, secret_path, secret_version, secret_username, secret_schema, secret_host, secret_port, secret_database,
       created_at, password_changed_at,
       -- Through to_jsonb: a registry that waits for its upgrade has no such column yet.
       to_jsonb(t) ->> 'deputy' AS deputy,
       to_jsonb(t) ->> 'secret_place' AS secret_place,
       to_jsonb(t) ->> 'secret_sslmode' AS secret_sslmode,
       -- Whoever makes a deputy holds the lock ($1); without a holder the deputy is left over.
       EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.pid <> pg_backend_pid()
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (l.classid::int8 << 32) | l.objid::int8 = $1) AS deputy_at_work
FROM tenantry.tenants t
ORDER BY tenant
