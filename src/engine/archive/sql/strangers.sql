-- What in this schema ($1) belongs to none of these roles ($2)? What belongs to an extension, or to a range type, is not
-- the tenant's to own. From the catalogs themselves: pg_shdepend does not mention the bootstrap superuser.
-- In this encoding ($3), as bytes: a name need not be one that our session may be sent; of a role, nor one that convert_to takes
-- (see grants.sql).
WITH objects (classid, objid, owner) AS (
    SELECT 'pg_class'::regclass, c.oid, c.relowner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE n.nspname = $1::text::name AND t.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
    UNION ALL
    SELECT 'pg_operator'::regclass, o.oid, o.oprowner FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT 'pg_collation'::regclass, o.oid, o.collowner FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace
    WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, o.oid, o.stxowner FROM pg_statistic_ext o JOIN pg_namespace n ON n.oid = o.stxnamespace
    WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT 'pg_ts_config'::regclass, o.oid, o.cfgowner FROM pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace
    WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT 'pg_ts_dict'::regclass, o.oid, o.dictowner FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace
    WHERE n.nspname = $1::text::name
)
SELECT convert_to(coalesce(pg_describe_object(o.classid, o.objid, 0), 'what is gone since'), $3::text::name) AS object,
    CASE WHEN getdatabaseencoding() = 'UTF8' THEN textsend(r.rolname::text) ELSE convert_to(r.rolname::text, $3::text::name) END AS owner
FROM objects o JOIN pg_roles r ON r.oid = o.owner
WHERE r.rolname <> ALL ($2::text[]::name[])
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.classid AND d.objid = o.objid AND d.objsubid = 0
                  AND (d.deptype = 'e' OR d.deptype = 'i' AND o.classid = 'pg_proc'::regclass))
ORDER BY 1
