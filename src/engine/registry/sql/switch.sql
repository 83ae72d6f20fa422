-- The secret of the tenant ($1) has this version ($2) now, and this is who logs in for it ($3).
UPDATE tenantry.tenants
SET secret_version = $2, rotation = $3
WHERE tenant = $1
