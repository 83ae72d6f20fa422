-- The attributes of these roles ($1). pg_roles, not pg_authid: an admin who is no superuser reads it too.
-- From PostgreSQL 16 on CREATEROLE acts on a role by an ADMIN OPTION, its own or inherited. Not by pg_has_role, which walks
-- through all of the admin's memberships for each role: it is a member of every role that it made.
WITH RECURSIVE mine (oid) AS (
    SELECT oid FROM pg_roles WHERE rolname = current_user
    UNION
    SELECT m.roleid FROM mine JOIN pg_auth_members m ON m.member = mine.oid
    WHERE coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
)
SELECT rolname::text AS name, rolcanlogin, rolinherit, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls,
       rolconnlimit, rolvaliduntil::text AS valid_until,
       oid IN (SELECT m.roleid FROM mine JOIN pg_auth_members m ON m.member = mine.oid WHERE m.admin_option) AS administered
FROM pg_roles
WHERE rolname = ANY ($1::text[]::name[])
ORDER BY rolname
