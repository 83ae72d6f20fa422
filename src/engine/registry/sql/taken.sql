-- Follows owned.sql of inspect: what of it the migrations made, by the digest of each tenant's set ($4).
-- columns[n] has the ACL item column_items[n].
SELECT o.nspname::text AS schema, r.rolname::text AS owner, o.letter AS kind, o.name, o.acl::text[] AS acl,
       ARRAY(SELECT a.attname::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE o.classid = 'pg_class'::regclass AND a.attrelid = o.oid AND NOT a.attisdropped ORDER BY a.attnum, n) AS columns,
       ARRAY(SELECT u.item::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE o.classid = 'pg_class'::regclass AND a.attrelid = o.oid AND NOT a.attisdropped ORDER BY a.attnum, n) AS column_items
FROM named o
JOIN pg_roles r ON r.oid = o.owner
JOIN unnest($4::text[]) WITH ORDINALITY AS s (digest, n) ON s.n = o.n
JOIN tenantry.migration_objects m ON m.digest = s.digest AND m.kind = o.kind AND m.name = o.name
ORDER BY o.nspname, o.kind, o.name
