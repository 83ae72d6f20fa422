-- The secret of the tenant ($1) has this version ($2) now.
UPDATE tenantry.tenants
SET secret_version = $2
WHERE tenant = $1
