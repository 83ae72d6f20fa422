-- What is in these schemas ($1), grouped by kind, owner and privileges, without the history table ($2), indexes,
-- what belongs to extensions, and the types that tables and arrays bring along. The constructor functions of a range
-- type belong to the bootstrap superuser whoever makes the type, and to the type by an internal dependency: left out.
WITH tenant AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1::text[]::name[])
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), objects AS (
    SELECT t.nspname, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END AS kind, c.relname::text AS name, c.relowner AS owner,
           coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))::text[] AS acl
    FROM pg_class c JOIN tenant t ON t.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> $2
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT t.nspname, 'f', p.proname || '()', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))::text[]
    FROM pg_proc p JOIN tenant t ON t.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT t.nspname, 'T', y.typname::text, y.typowner, coalesce(y.typacl, acldefault('T', y.typowner))::text[]
    FROM pg_type y JOIN tenant t ON t.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE y.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = y.oid)
)
SELECT o.nspname::text AS schema, o.kind, r.rolname::text AS owner, o.acl, count(*) AS count,
       (array_agg(o.name ORDER BY o.name))[1:3] AS examples
FROM objects o JOIN pg_roles r ON r.oid = o.owner
GROUP BY o.nspname, o.kind, r.rolname, o.acl
ORDER BY o.nspname, o.kind, r.rolname, o.acl
