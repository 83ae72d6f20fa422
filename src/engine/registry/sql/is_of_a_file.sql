-- Does tenants.toml, or its source, declare any tenant?
SELECT EXISTS (SELECT FROM tenantry.tenants WHERE declared_by <> 'api') AS is_of_a_file
