-- Is this owner role ($1) another tenant's than this one's ($2) too?
SELECT EXISTS (SELECT FROM tenantry.tenants WHERE owner = $1 AND tenant <> $2) AS is_there
