-- May a group role ($1) connect to this database, or make temporary tables in it, by a grant of its own, and how much here
-- does it own? Its members may become it, and make large objects then.
SELECT EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a
               WHERE d.datname = current_database() AND a.grantee = r.oid AND a.privilege_type = 'CONNECT') AS has_connect,
       EXISTS (SELECT FROM pg_database d, aclexplode(d.datacl) a
               WHERE d.datname = current_database() AND a.grantee = r.oid AND a.privilege_type = 'TEMPORARY') AS has_temp,
       (SELECT count(*) FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database() AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid AND s.deptype = 'o') AS owns
FROM pg_roles r
WHERE r.rolname = $1::text::name
ORDER BY r.rolname
