-- What no tenant may read.
SELECT FROM tenantry.tenants
