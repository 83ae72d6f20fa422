-- ALTER ROLE ... SET of these roles ($1): for every database, and for this one.
SELECT r.rolname::text AS role, s.setdatabase <> 0 AS in_database, setting
FROM pg_db_role_setting s
JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) AS setting
WHERE r.rolname = ANY ($1::text[]::name[])
  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY r.rolname, in_database, setting
