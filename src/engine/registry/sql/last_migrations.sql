-- When did tenantry last run a migration in each tenant?
SELECT tenant, pg_catalog.max(at) AS at
FROM tenantry.audit_log
WHERE changes OPERATOR(pg_catalog.@>) '[{"kind": "migrate"}]'
GROUP BY tenant
ORDER BY tenant
