-- They are deleted.
DELETE FROM tenantry.former_secrets
WHERE tenant = $1
