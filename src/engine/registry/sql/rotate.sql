-- Another password for a tenant ($1) that stays as it is.
UPDATE tenantry.tenants
SET password_source = 'generated', password_changed_at = pg_catalog.now(), updated_at = pg_catalog.now(),
    secret_place = $2, secret_username = $3, secret_schema = $4, secret_host = $5, secret_port = $6, secret_database = $7,
    secret_sslmode = $8
WHERE tenant = $1
