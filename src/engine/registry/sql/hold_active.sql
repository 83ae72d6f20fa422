-- Is the tenant ($1) active, and this ($2) its username?
SELECT
FROM tenantry.tenants
WHERE tenant = $1 AND username = $2 AND state = 'active'
FOR UPDATE
