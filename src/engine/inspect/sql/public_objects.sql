-- What lives in schema public that belongs to no extension? Counted, with the first few names.
-- pg_depend's deptype 'e' marks the members of extensions (manual, pg_depend).
WITH objects AS (
    SELECT c.relname::text AS name FROM pg_class c
    WHERE c.relnamespace = to_regnamespace('public') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT p.proname || '()' FROM pg_proc p
    WHERE p.pronamespace = to_regnamespace('public')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    UNION ALL
    SELECT t.typname FROM pg_type t
    WHERE t.typnamespace = to_regnamespace('public') AND t.typtype IN ('d', 'e', 'r')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
)
SELECT count(*) AS objects, coalesce((array_agg(name ORDER BY name))[1:3], '{}') AS examples FROM objects
ORDER BY 1
