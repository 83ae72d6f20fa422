-- What is the history of the tenant ($1) called? Through to_jsonb: a registry that waits for its upgrade has no such column yet.
SELECT pg_catalog.to_jsonb(t) OPERATOR(pg_catalog.->>) 'history_table' AS history_table
FROM tenantry.tenants t
WHERE t.tenant = $1
