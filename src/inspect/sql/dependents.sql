-- What outside these schemas ($1) would DROP SCHEMA … CASCADE take along? Inside is what pg_depend says lies in the
-- namespace, and what belongs to that (indexes, constraints, defaults, rules, members of extensions); whatever else
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
)
SELECT DISTINCT n.nspname::text AS schema, pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
FROM inside i
JOIN pg_namespace n ON n.oid = i.nsp
JOIN pg_depend d ON d.refclassid = i.classid AND d.refobjid = i.objid AND d.deptype = 'n'
WHERE NOT EXISTS (SELECT FROM inside o WHERE o.nsp = i.nsp AND o.classid = d.classid AND o.objid = d.objid)
  -- Default privileges of the tenant's roles go with the roles.
  AND d.classid <> 'pg_default_acl'::regclass
ORDER BY 1, 2
