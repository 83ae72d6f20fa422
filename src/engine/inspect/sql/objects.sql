-- What is in these schemas ($1), grouped by kind, owner and privileges, without the history tables ($2), indexes,
-- what belongs to extensions, and the types that tables and arrays bring along. The constructor functions of a range
-- type belong to the bootstrap superuser whoever makes the type, and to the type by an internal dependency: left out.
-- columns[n] has the ACL item column_items[n]. Kind 'o' has an owner and no ACL.
-- NOT MATERIALIZED: a materialized list is joined in nested loops, in time that grows with its square.
WITH tenant AS NOT MATERIALIZED (
    SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1::text[]::name[])
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), columns AS (
    SELECT attrelid, array_agg(attname::text ORDER BY attnum, n) AS columns, array_agg(item::text ORDER BY attnum, n) AS column_items
    FROM pg_attribute CROSS JOIN LATERAL unnest(attacl) WITH ORDINALITY AS u (item, n)
    WHERE attacl IS NOT NULL AND NOT attisdropped
    GROUP BY attrelid
), objects AS (
    SELECT t.nspname, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END AS kind, c.relname::text AS name, c.relowner AS owner,
           coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))::text[] AS acl,
           coalesce(a.columns, '{}') AS columns, coalesce(a.column_items, '{}') AS column_items
    FROM pg_class c JOIN tenant t ON t.oid = c.relnamespace LEFT JOIN columns a ON a.attrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> ALL ($2::text[]::name[])
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT t.nspname, 'f', p.proname || '()', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))::text[], '{}', '{}'
    FROM pg_proc p JOIN tenant t ON t.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT t.nspname, 'T', y.typname::text, y.typowner, coalesce(y.typacl, acldefault('T', y.typowner))::text[], '{}', '{}'
    FROM pg_type y JOIN tenant t ON t.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE y.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = y.oid)
    UNION ALL
    SELECT t.nspname, 'o', x.name, x.owner, '{}', '{}', '{}'
    FROM (
        SELECT 'pg_collation'::regclass AS classid, oid, collname::text AS name, collowner AS owner, collnamespace AS namespace FROM pg_collation
        UNION ALL SELECT 'pg_conversion'::regclass AS classid, oid, conname::text AS name, conowner AS owner, connamespace AS namespace FROM pg_conversion
        UNION ALL SELECT 'pg_operator'::regclass AS classid, oid, oprname::text AS name, oprowner AS owner, oprnamespace AS namespace FROM pg_operator
        UNION ALL SELECT 'pg_opclass'::regclass AS classid, oid, opcname::text AS name, opcowner AS owner, opcnamespace AS namespace FROM pg_opclass
        UNION ALL SELECT 'pg_opfamily'::regclass AS classid, oid, opfname::text AS name, opfowner AS owner, opfnamespace AS namespace FROM pg_opfamily
        UNION ALL SELECT 'pg_ts_dict'::regclass AS classid, oid, dictname::text AS name, dictowner AS owner, dictnamespace AS namespace FROM pg_ts_dict
        UNION ALL SELECT 'pg_ts_config'::regclass AS classid, oid, cfgname::text AS name, cfgowner AS owner, cfgnamespace AS namespace FROM pg_ts_config
        UNION ALL SELECT 'pg_statistic_ext'::regclass AS classid, oid, stxname::text AS name, stxowner AS owner, stxnamespace AS namespace FROM pg_statistic_ext
    ) x JOIN tenant t ON t.oid = x.namespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = x.classid AND m.objid = x.oid)
)
SELECT o.nspname::text AS schema, o.kind, r.rolname::text AS owner, o.acl, o.columns, o.column_items, count(*) AS count,
       (array_agg(o.name ORDER BY o.name))[1:3] AS examples
FROM objects o JOIN pg_roles r ON r.oid = o.owner
GROUP BY o.nspname, o.kind, r.rolname, o.acl, o.columns, o.column_items
ORDER BY o.nspname, o.kind, r.rolname, o.acl, o.columns, o.column_items
