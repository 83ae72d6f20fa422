-- This is about to be made in Vault, for this tenant from now on.
INSERT INTO tenantry.vault_access (namespace, kind, mount, name, tenant)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (namespace, kind, mount, name) DO UPDATE SET tenant = excluded.tenant
