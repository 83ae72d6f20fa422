-- How many references are there to functions and operators of this schema ($1)? What PostgreSQL ships is pinned and not
-- counted, so the number changes when a name is understood as the other one's.
SELECT count(DISTINCT (d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid)) AS references
FROM pg_catalog.pg_depend d
WHERE d.deptype IN ('n', 'a')
  AND (d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
       AND EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                   WHERE p.oid = d.refobjid AND n.nspname = $1::text::name)
    OR d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass
       AND EXISTS (SELECT FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
                   WHERE o.oid = d.refobjid AND n.nspname = $1::text::name))
