-- What these roles ($2) own in the schemas beside them ($1), the history table ($3) left out, and indexes, what belongs to
-- extensions, and what types bring along. Sequences of columns change hands with their tables, and their privileges too. The
-- queries of made.sql and taken.sql follow.
-- name: the identity without the schema, which differs from tenant to tenant.
WITH tenant AS MATERIALIZED (
    SELECT t.n, o.oid, o.nspname, r.oid AS owner
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (schema, role, n)
    JOIN pg_namespace o ON o.nspname = t.schema::name
    JOIN pg_roles r ON r.rolname = t.role::name
), owned AS MATERIALIZED (
    SELECT t.n, t.nspname, t.owner, 'pg_class'::regclass AS classid, c.oid, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END AS letter,
           coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner)) AS acl
    FROM tenant t JOIN pg_class c ON c.relnamespace = t.oid AND c.relowner = t.owner
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> $3
    UNION ALL
    SELECT t.n, t.nspname, t.owner, 'pg_proc'::regclass, p.oid, 'f', coalesce(p.proacl, acldefault('f', p.proowner))
    FROM tenant t JOIN pg_proc p ON p.pronamespace = t.oid AND p.proowner = t.owner
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT t.n, t.nspname, t.owner, 'pg_type'::regclass, y.oid, 'T', coalesce(y.typacl, acldefault('T', y.typowner))
    FROM tenant t JOIN pg_type y ON y.typnamespace = t.oid AND y.typowner = t.owner LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE y.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
    UNION ALL
    SELECT t.n, t.nspname, t.owner, x.classid, x.oid, 'o', '{}'
    FROM tenant t JOIN (
        SELECT 'pg_collation'::regclass AS classid, oid, collowner AS owner, collnamespace AS namespace FROM pg_collation
        UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner, connamespace FROM pg_conversion
        UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, oprnamespace FROM pg_operator
        UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner, opcnamespace FROM pg_opclass
        UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner, opfnamespace FROM pg_opfamily
        UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner, dictnamespace FROM pg_ts_dict
        UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner, cfgnamespace FROM pg_ts_config
        UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner, stxnamespace FROM pg_statistic_ext
    ) x ON x.namespace = t.oid AND x.owner = t.owner
), named AS MATERIALIZED (
    SELECT o.*, i.type AS kind, replace(i.identity, quote_ident(o.nspname) || '.', '') AS name
    FROM owned o CROSS JOIN LATERAL pg_identify_object(o.classid, o.oid, 0) i
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e')
)
