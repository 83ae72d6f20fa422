-- This secret is to be deleted.
INSERT INTO tenantry.former_secrets (tenant, store, place, path, version)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (store, place, path) DO UPDATE SET tenant = excluded.tenant, version = excluded.version
