-- Is the tenant ($1) active and not suspended, and this ($2) its username?
SELECT
FROM tenantry.tenants
WHERE tenant = $1 AND username = $2 AND state = 'active' AND NOT suspended
FOR UPDATE
