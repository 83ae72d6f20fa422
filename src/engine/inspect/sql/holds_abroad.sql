-- What keeps these roles ($1) from being dropped in other databases of the cluster? Which objects, only a session there
-- could say.
SELECT r.rolname::text AS role, b.datname::text AS database,
       count(*) FILTER (WHERE d.deptype = 'o') AS owned, count(*) FILTER (WHERE d.deptype <> 'o') AS granted
FROM pg_shdepend d
JOIN pg_roles r ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
JOIN pg_database b ON b.oid = d.dbid
WHERE r.rolname = ANY ($1::text[]::name[]) AND b.datname <> current_database()
GROUP BY r.rolname, b.datname
ORDER BY r.rolname, b.datname
