-- Which tables of these owners ($2) in the schemas beside them ($1) are as refinery makes a history? Not which one is: a tenant that
-- owns its schema may make another.
SELECT n.nspname::text AS schema, c.relname::text AS name
FROM unnest($1::text[], $2::text[]) AS t (schema, owner)
JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema::name
JOIN pg_catalog.pg_roles r ON r.rolname = t.owner::name
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relowner = r.oid AND c.relkind = 'r'
WHERE ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attname) = ARRAY['applied_on', 'checksum', 'name', 'version']
ORDER BY n.nspname, c.relname
