-- Nothing is left of a restore that came to no end.
DELETE FROM tenantry.tenants
WHERE tenant = $1 AND state = 'restoring'
