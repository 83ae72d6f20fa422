-- What stands in the way of rows that are loaded into the tables of a schema ($1), the history ($2) left out: the statement that
-- puts it aside, and the one that brings it back as it was. is_key: a foreign key between two of its tables. One to a table of
-- another schema stays: to drop it locks that table against everybody. Clones on partitions follow their parent.
WITH relation AS (
    SELECT c.oid, c.relkind, c.relrowsecurity, c.relforcerowsecurity, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p') AND c.relname <> $2::text::name
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
      )
)
SELECT 1 AS step, true AS is_key, r.name, k.conname::text AS part,
       pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', r.name, k.conname) AS aside,
       pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.name, k.conname, pg_catalog.pg_get_constraintdef(k.oid))
       || coalesce('; COMMENT ON CONSTRAINT ' || pg_catalog.quote_ident(k.conname) || ' ON ' || r.name || ' IS '
                   || pg_catalog.quote_literal(pg_catalog.obj_description(k.oid, 'pg_constraint')), '') AS back
FROM pg_catalog.pg_constraint k
JOIN relation r ON r.oid = k.conrelid
JOIN relation f ON f.oid = k.confrelid
WHERE k.contype = 'f' AND k.conparentid = 0
UNION ALL
SELECT 2, false, r.name, g.tgname, pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', r.name, g.tgname),
       pg_catalog.format('ALTER TABLE %s ENABLE %sTRIGGER %I', r.name, CASE g.tgenabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, g.tgname)
FROM relation r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid
WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled IN ('O', 'A')
UNION ALL
SELECT 3, false, r.name, w.rulename, pg_catalog.format('ALTER TABLE %s DISABLE RULE %I', r.name, w.rulename),
       pg_catalog.format('ALTER TABLE %s ENABLE %sRULE %I', r.name, CASE w.ev_enabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, w.rulename)
FROM relation r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid
WHERE w.ev_type = '3' AND w.ev_enabled IN ('O', 'A')
UNION ALL
SELECT 4, false, r.name, '', pg_catalog.format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', r.name),
       pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', r.name)
FROM relation r
WHERE r.relrowsecurity AND r.relforcerowsecurity
ORDER BY step, name, part
