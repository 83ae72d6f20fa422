-- Does the group role ($1) exist, and may it connect to this database by a grant of its own?
SELECT r.rolcanlogin AS can_login, pg_has_role(r.oid, 'USAGE WITH ADMIN OPTION') AS administered,
       EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a
               WHERE d.datname = current_database() AND a.grantee = r.oid AND a.privilege_type = 'CONNECT') AS has_connect
FROM pg_roles r
WHERE r.rolname = $1::text::name
ORDER BY r.rolname
