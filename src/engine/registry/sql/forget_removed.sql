-- Of a removed tenant whose secret is gone nothing is left to remember.
DELETE FROM tenantry.tenants
WHERE tenant = $1 AND state = 'removed'
