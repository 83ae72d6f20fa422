-- One object of each kind that the owner ($2) owns in the schema ($1), to be tried: plain ones before those that have rules,
-- triggers or policies, whose code may refuse for reasons of its own. $3 is the table of the migration history. No foreign
-- tables: planning a query may already ask the other server.
SELECT DISTINCT ON (t.kind) t.kind, t.name, t.oid, t.rules, t.column
FROM (
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
           c.relname::text AS name, c.oid, c.relhasrules AND c.relkind IN ('r', 'p') AS rules,
           c.relhasrules OR c.relrowsecurity OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) AS has_code,
           (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum LIMIT 1) AS column
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
    WHERE n.nspname = $1::text::name AND r.rolname = $2::text::name AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.relname <> $3
) t
ORDER BY t.kind, t.has_code, t.column IS NULL, t.name COLLATE "C"
