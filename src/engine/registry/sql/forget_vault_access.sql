-- This is gone from Vault, or another tenant's.
DELETE FROM tenantry.vault_access
WHERE namespace = $1 AND kind = $2 AND mount = $3 AND name = $4 AND tenant = $5
