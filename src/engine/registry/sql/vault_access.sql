-- What was made in Vault for which tenant?
SELECT tenant, namespace, kind, mount, name
FROM tenantry.vault_access
ORDER BY tenant, namespace, kind, mount, name
