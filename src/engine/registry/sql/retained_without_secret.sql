-- A retained tenant whose secret is gone has none.
UPDATE tenantry.tenants
SET secret_version = NULL
WHERE tenant = $1 AND state = 'retained'
