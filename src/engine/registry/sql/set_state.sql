-- The tenant ($1) is in this state ($2) from now on.
UPDATE tenantry.tenants
SET state = $2, deputy = NULL, updated_at = pg_catalog.now()
WHERE tenant = $1
