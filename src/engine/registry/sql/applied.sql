-- Which of the registry's own migrations are applied?
SELECT version
FROM tenantry.refinery_schema_history
ORDER BY version
