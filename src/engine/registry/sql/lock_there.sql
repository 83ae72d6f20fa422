-- Is the lock of apply there, and is it an ordinary table of an administrator's or ours? Asked before it is read: a view under its
-- name would be its owner's code, run by us. Not by to_regclass, which fails where we have no USAGE on the schema.
SELECT c.relkind = 'r' AND pg_catalog.bool_and(r.rolsuper OR r.rolcreaterole OR r.rolname = current_user OR r.oid = d.datdba) AS is_trusted,
       pg_catalog.pg_get_userbyid(c.relowner) AS owner
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
JOIN pg_catalog.pg_roles r ON r.oid IN (c.relowner, n.nspowner)
WHERE n.nspname = 'tenantry' AND c.relname = 'apply_lock'
GROUP BY c.relkind, c.relowner
