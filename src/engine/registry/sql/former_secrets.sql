-- Which secrets are to be deleted?
SELECT tenant, store, place, path, version
FROM tenantry.former_secrets
ORDER BY tenant, store, place, path
