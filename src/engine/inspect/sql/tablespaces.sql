-- Which tablespaces are there, and which of them is where this database's tables go by default: its own, and the one that
-- ALTER DATABASE ... SET default_tablespace names, if any?
SELECT t.spcname::text AS name, o.rolname::text AS owner, coalesce(t.spcacl, acldefault('t', t.spcowner))::text[] AS acl,
       t.oid = d.dattablespace AS is_own,
       EXISTS (SELECT FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS u (setting)
               WHERE s.setrole = 0 AND s.setdatabase = d.oid AND u.setting = 'default_tablespace=' || t.spcname) AS is_default
FROM pg_tablespace t
JOIN pg_roles o ON o.oid = t.spcowner
JOIN pg_database d ON d.datname = current_database()
ORDER BY t.spcname
