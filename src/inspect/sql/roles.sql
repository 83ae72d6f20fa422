-- The attributes of these roles ($1). pg_roles, not pg_authid: an admin who is no superuser reads it too.
SELECT rolname::text AS name, rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
       rolconnlimit, rolvaliduntil::text AS valid_until,
       -- What it takes to alter, grant or drop a role from PostgreSQL 16 on.
       pg_has_role(oid, 'USAGE WITH ADMIN OPTION') AS administered
FROM pg_roles
WHERE rolname = ANY ($1::text[]::name[])
ORDER BY rolname
