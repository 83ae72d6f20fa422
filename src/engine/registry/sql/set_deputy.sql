-- Who logs in for the tenant ($1)?
UPDATE tenantry.tenants
SET deputy = $2
WHERE tenant = $1
