-- Was the registry made for this database? In the same cluster under another OID it is a copy, if the original is still
-- there; in another cluster it came with a dump.
SELECT i.system_identifier,
       CASE WHEN i.system_identifier = c.system_identifier::text AND i.database_oid <> own.oid THEN original.datname::text END AS original,
       i.system_identifier <> c.system_identifier::text AS is_of_another_cluster,
       i.system_identifier = c.system_identifier::text AND i.database_oid = own.oid AS is_of_here
FROM tenantry.identity i
CROSS JOIN pg_control_system() c
JOIN pg_database own ON own.datname = current_database()
LEFT JOIN pg_database original ON original.oid = i.database_oid
ORDER BY 1
