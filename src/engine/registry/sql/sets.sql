-- Of which sets of migrations is it remembered what they make?
SELECT digest
FROM tenantry.migration_sets
ORDER BY digest
