-- The tables of a schema ($1) that hold rows or take them, but for the history ($2) and what extensions bring. root: where the
-- rows of a partition go in. Of its columns those that are not generated, in their order: the type, by which two tenants' are
-- compared (one of the schema's own types by its bare name); and how a value arrives here: as which type, read by nothing but PostgreSQL's and
-- extensions' own code, and what it is then cast to (nothing: it is assigned). A domain inside of an array or a row has
-- CHECKs that run as a value is read, so that such a value arrives as text.
WITH tenant AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = $1::text::name
)
SELECT c.relname::text AS name, coalesce(top.relname, c.relname)::text AS root, c.relkind = 'p' AS is_partitioned,
       CASE WHEN c.relkind = 'p' THEN 0 ELSE pg_catalog.pg_relation_size(c.oid) END AS bytes,
       coalesce(columns.names, '{}') AS names, coalesce(columns.types, '{}') AS types,
       coalesce(columns.arrives_as, '{}') AS arrives_as, coalesce(columns.cast_to, '{}') AS cast_to
FROM tenant t
JOIN pg_catalog.pg_class c ON c.relnamespace = t.oid AND c.relkind IN ('r', 'p') AND c.relname <> $2::text::name
LEFT JOIN pg_catalog.pg_class top
    ON c.relispartition AND top.oid = pg_catalog.pg_partition_root(c.oid) AND top.relnamespace = t.oid
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names,
           array_agg(CASE WHEN y.typnamespace = t.oid THEN y.typname::text
                          ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END ORDER BY a.attnum) AS types,
           array_agg(CASE WHEN harmless.is THEN pg_catalog.format_type(b.oid, -1) ELSE 'text' END ORDER BY a.attnum) AS arrives_as,
           array_agg(CASE WHEN harmless.is THEN '' ELSE pg_catalog.format_type(a.atttypid, NULL) END ORDER BY a.attnum) AS cast_to
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    CROSS JOIN LATERAL (
        WITH RECURSIVE chain AS (
            SELECT d.oid, d.typtype, d.typbasetype FROM pg_catalog.pg_type d WHERE d.oid = a.atttypid
            UNION ALL
            SELECT d.oid, d.typtype, d.typbasetype FROM chain JOIN pg_catalog.pg_type d ON d.oid = chain.typbasetype WHERE chain.typtype = 'd'
        )
        SELECT chain.oid FROM chain WHERE chain.typtype <> 'd'
    ) base
    JOIN pg_catalog.pg_type b ON b.oid = base.oid
    LEFT JOIN pg_catalog.pg_type e ON b.typcategory = 'A' AND e.oid = b.typelem
    CROSS JOIN LATERAL (
        SELECT bool_and(z.typtype IN ('b', 'e') OR z.typtype IN ('r', 'm') AND z.typnamespace = 'pg_catalog'::regnamespace) AS is
        FROM (VALUES (b.typtype, b.typnamespace), (coalesce(e.typtype, 'b'), coalesce(e.typnamespace, b.typnamespace))) AS z (typtype, typnamespace)
    ) harmless
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
) columns ON true
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
)
ORDER BY c.relname
