-- Tables in this schema ($1), but for the migration history ($3), of the owner ($2), that PostgreSQL may refuse to update or delete from
-- because they are published: alone, with their schema, with a partitioned table, or with everything. Those that it can
-- identify, by all that is published of them, are left out. What becomes of the others is tried: the rules have changed
-- with every version.
-- Through to_jsonb: column lists and row filters are 15's. pg_publication_namespace too, which cannot be named before.
WITH publications AS (
    SELECT oid, puballtables FROM pg_publication WHERE pubupdate OR pubdelete
), schemas AS (
    SELECT n.refobjid AS namespace
    FROM publications p
    JOIN pg_depend d ON d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid AND d.classid = to_regclass('pg_catalog.pg_publication_namespace')
    JOIN pg_depend n ON n.classid = d.classid AND n.objid = d.objid AND n.refclassid = 'pg_namespace'::regclass
), tables AS (
    SELECT c.oid, c.relname, c.relreplident, a.relid AS published_as, n.oid AS namespace
    FROM pg_class c
    JOIN pg_namespace s ON s.oid = c.relnamespace
    JOIN pg_roles o ON o.oid = c.relowner
    CROSS JOIN LATERAL (SELECT c.oid AS relid UNION SELECT relid FROM pg_partition_ancestors(c.oid)) a
    JOIN pg_class r ON r.oid = a.relid
    JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE EXISTS (SELECT FROM publications) AND s.nspname = $1::text::name AND o.rolname = $2::text::name
      AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.relname <> $3
)
SELECT DISTINCT t.oid, t.relname::text AS name,
       (SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum LIMIT 1) AS column
FROM tables t
LEFT JOIN pg_publication_rel b ON b.prrelid = t.published_as AND b.prpubid IN (SELECT oid FROM publications)
WHERE (b.oid IS NOT NULL OR EXISTS (SELECT FROM publications WHERE puballtables) OR t.namespace IN (SELECT namespace FROM schemas))
  AND (to_jsonb(b) ->> 'prattrs' IS NOT NULL OR to_jsonb(b) ->> 'prqual' IS NOT NULL
       OR t.relreplident <> 'f' AND NOT EXISTS (
           SELECT FROM pg_index x
           WHERE x.indrelid = t.oid AND x.indisvalid AND CASE t.relreplident WHEN 'i' THEN x.indisreplident WHEN 'd' THEN x.indisprimary END
             -- Published with 18 only where somebody says so.
             AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey::int2[]) AND a.attgenerated <> '')))
ORDER BY 2
LIMIT 100
