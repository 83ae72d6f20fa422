-- What stands under the history's name ($2) in these schemas ($1)? Only an ordinary table of the expected owner,
-- without row security and with refinery's columns, is read: a view or a policy would be the tenant's code, run by us.
-- attgenerated: a virtual column (18) is computed when it is read.
SELECT n.nspname::text AS schema, c.relkind::text AS kind, r.rolname::text AS owner, c.relrowsecurity AS row_security,
       coalesce(c.relacl, acldefault('r', c.relowner))::text[] AS acl,
       -- grants_on[n] names a column, whose ACL has the item column_items[n].
       ARRAY(SELECT a.attname::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE a.attrelid = c.oid AND NOT a.attisdropped ORDER BY a.attnum, n) AS grants_on,
       ARRAY(SELECT u.item::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE a.attrelid = c.oid AND NOT a.attisdropped ORDER BY a.attnum, n) AS column_items,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       ARRAY(SELECT a.attname || ' ' || format_type(a.atttypid, NULL) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               AND a.attname IN ('version', 'name', 'applied_on', 'checksum') ORDER BY a.attname) AS columns,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'version' AND a.atttypid = 'int8'::regtype) AS is_long
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = c.relowner
WHERE n.nspname = ANY ($1::text[]::name[]) AND c.relname = $2
ORDER BY n.nspname
