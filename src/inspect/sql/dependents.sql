-- What outside these schemas ($1) would DROP SCHEMA … CASCADE take along? Views read through their rewrite rules, foreign
-- keys, defaults, triggers, functions and tables of a type that lives inside (manual, pg_depend).
WITH schema AS (
    SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY ($1::text[]::name[])
), inside AS (
    SELECT 'pg_class'::regclass AS classid, c.oid AS objid, c.relnamespace AS nsp FROM pg_class c JOIN schema s ON s.oid = c.relnamespace
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, p.pronamespace FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, t.typnamespace FROM pg_type t JOIN schema s ON s.oid = t.typnamespace
), dependent AS (
    SELECT DISTINCT i.nsp, d.classid, d.objid, d.objsubid,
           coalesce(c.relnamespace, rc.relnamespace, kc.relnamespace, ac.relnamespace, tc.relnamespace, p.pronamespace, t.typnamespace) AS own
    FROM inside i
    JOIN pg_depend d ON d.refclassid = i.classid AND d.refobjid = i.objid AND d.deptype IN ('n', 'a')
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class rc ON rc.oid = r.ev_class
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    LEFT JOIN pg_class kc ON kc.oid = k.conrelid
    LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
    LEFT JOIN pg_class ac ON ac.oid = a.adrelid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
    LEFT JOIN pg_class tc ON tc.oid = g.tgrelid
    LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
)
SELECT s.nspname::text AS schema, pg_describe_object(d.classid, d.objid, d.objsubid) AS dependent
FROM dependent d
JOIN schema s ON s.oid = d.nsp
WHERE d.own IS NOT NULL AND d.own <> d.nsp
  -- A TOAST table is its table's.
  AND d.own <> 'pg_toast'::regnamespace
ORDER BY 1, 2
