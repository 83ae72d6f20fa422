-- Did a restore of this tenant come to no end? And is its schema still the one that was being restored?
SELECT deputy,
       EXISTS (SELECT FROM pg_catalog.pg_namespace n
               WHERE n.nspname = schema_name::name AND n.oid IS DISTINCT FROM schema_oid) AS is_another
FROM tenantry.tenants
WHERE tenant = $1 AND state = 'restoring' AND schema_name = $2 AND username = $3 AND owner = $4
