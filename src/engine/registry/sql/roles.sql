-- The roles of the tenants, removed ones included: a role outlives its tenant where its removal was interrupted.
SELECT username AS role FROM tenantry.tenants
UNION
SELECT owner FROM tenantry.tenants
ORDER BY role
