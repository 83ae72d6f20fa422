-- One more run that writes secrets; what it marks them with.
WITH run AS (INSERT INTO tenantry.runs DEFAULT VALUES RETURNING run)
SELECT run.run, i.fleet, (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c) AS cluster
FROM run
CROSS JOIN tenantry.identity i
