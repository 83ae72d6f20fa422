-- What outside these schemas ($1) would DROP SCHEMA ... CASCADE take along, and how to keep it, where there is one way? Inside
-- is what pg_depend says lies in the namespace, and what belongs to that (indexes, constraints, defaults, rules, members of
-- extensions), unless it lies in a namespace of its own: a partition belongs to its parent wherever it lies. Whatever else
-- depends on any of it lies outside: a view, a foreign key, a column of a type or with a collation, an index with an
-- operator class, a policy that calls a function (manual, pg_depend).
WITH RECURSIVE inside (nsp, classid, objid) AS (
    SELECT n.oid, d.classid, d.objid
    FROM pg_namespace n
    JOIN pg_depend d ON d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid
    WHERE n.nspname = ANY ($1::text[]::name[])
    UNION
    -- An index or constraint of an outside table also hangs on its own table; it is not ours by that.
    SELECT i.nsp, d.classid, d.objid
    FROM inside i
    JOIN pg_depend d ON d.refclassid = i.classid AND d.refobjid = i.objid
    WHERE d.deptype IN ('a', 'i', 'e', 'P', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid
                      AND o.refclassid = 'pg_namespace'::regclass AND o.refobjid <> i.nsp)
),
-- Told apart by sorting, once: an anti-join is planned for the few rows that a recursion is thought to have, and compares
-- each with each.
depending AS (
    SELECT x.*, bool_or(x.is_inside) OVER (PARTITION BY x.nsp, x.classid, x.objid) AS belongs
    FROM (
        SELECT nsp, classid, objid, 0 AS objsubid, NULL::oid AS refclassid, NULL::oid AS refobjid, true AS is_inside FROM inside
        UNION ALL
        SELECT i.nsp, d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, false
        FROM inside i
        JOIN pg_depend d ON d.refclassid = i.classid AND d.refobjid = i.objid
    ) x
),
outside AS MATERIALIZED (
    SELECT nsp, classid, objid, objsubid, refclassid, refobjid FROM depending
    -- Default privileges of the tenant's roles go with the roles.
    WHERE NOT belongs AND classid <> 'pg_default_acl'::regclass
)
SELECT DISTINCT n.nspname::text AS schema, pg_describe_object(o.classid, o.objid, o.objsubid) AS dependent,
       CASE WHEN h.inhrelid IS NOT NULL THEN
           format(CASE WHEN c.relispartition THEN 'ALTER TABLE %1$s DETACH PARTITION %2$s' ELSE 'ALTER TABLE %2$s NO INHERIT %1$s' END,
                  h.inhparent::regclass, h.inhrelid::regclass)
       END AS remedy
FROM outside o
JOIN pg_namespace n ON n.oid = o.nsp
LEFT JOIN pg_inherits h ON o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass
                       AND h.inhrelid = o.objid AND h.inhparent = o.refobjid
LEFT JOIN pg_class c ON c.oid = h.inhrelid
-- What is gone since has no description.
WHERE pg_describe_object(o.classid, o.objid, o.objsubid) IS NOT NULL
ORDER BY 1, 2
