-- What tenantry made in its own schema, the schema itself first: the tables named $1, their sequences, and the function behind
-- the audit log's trigger. Who owns each, who holds what on it, and is it ours ($2) to change?
-- columns[n] has the ACL item column_items[n].
WITH k AS (
    SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = 'tenantry'
), objects AS (
    SELECT 0 AS place, 'schema' AS kind, 'tenantry' AS name, k.nspowner AS owner, coalesce(k.nspacl, acldefault('n', k.nspowner)) AS acl,
           NULL::oid AS relation
    FROM k
    UNION ALL
    SELECT 1, 'table', format('tenantry.%I', c.relname), c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)), c.oid
    FROM k JOIN pg_class c ON c.relnamespace = k.oid
    WHERE c.relname = ANY ($1::text[]::name[]) AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 2, 'sequence', format('tenantry.%I', s.relname), s.relowner, coalesce(s.relacl, acldefault('s', s.relowner)), s.oid
    FROM k JOIN pg_class c ON c.relnamespace = k.oid
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' AND s.relnamespace = k.oid
    WHERE c.relname = ANY ($1::text[]::name[])
    UNION ALL
    SELECT 3, 'function', 'tenantry.refuse_change()', p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)), NULL
    FROM k JOIN pg_proc p ON p.pronamespace = k.oid
    WHERE p.proname = 'refuse_change' AND p.pronargs = 0
)
SELECT o.kind, o.name, r.rolname::text AS owner, o.acl::text[] AS acl,
       pg_has_role($2::text::name, o.owner, 'USAGE') AS ours,
       ARRAY(SELECT a.attname::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE a.attrelid = o.relation AND NOT a.attisdropped ORDER BY a.attnum, n) AS columns,
       ARRAY(SELECT u.item::text FROM pg_attribute a, unnest(a.attacl) WITH ORDINALITY AS u (item, n)
             WHERE a.attrelid = o.relation AND NOT a.attisdropped ORDER BY a.attnum, n) AS column_items
FROM objects o JOIN pg_roles r ON r.oid = o.owner
ORDER BY o.place, o.name
