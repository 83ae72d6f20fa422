-- Statements that drop as many ($2) objects of this schema ($1) as are no tables, with what depends on them. Not what an object of another
-- kind, or an extension, brings along. As bytes in this encoding ($3): a name need not be one that our session may be sent.
SELECT pg_catalog.convert_to(
    'DROP ' || pg_catalog.replace(i.type, 'statistics object', 'statistics') || ' IF EXISTS ' || i.identity || ' CASCADE', $3::text::name) AS sql
FROM (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = $1::text::name AND d.deptype = 'n'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend own
                      WHERE own.classid = d.classid AND own.objid = d.objid AND own.deptype IN ('i', 'e', 'x', 'P', 'S'))
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
                      AND c.relkind IN ('r', 'p', 'i', 'I', 't'))
      AND d.classid <> 'pg_catalog.pg_default_acl'::pg_catalog.regclass
    ORDER BY d.classid, d.objid LIMIT $2
) o CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
WHERE i.identity IS NOT NULL
ORDER BY o.classid, o.objid
