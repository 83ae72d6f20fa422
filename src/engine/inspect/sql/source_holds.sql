-- What the query stands on that PostgreSQL does not bring along, views taken apart, with the partitions and children that are read too.
-- What initdb made is pinned and in no pg_depend, so whatever is listed here somebody made.
WITH RECURSIVE seen(relation) AS (
    SELECT $1::pg_catalog.oid
    UNION
    SELECT below.relation
    FROM seen
    CROSS JOIN LATERAL (
        SELECT d.refobjid
        FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE r.ev_class = seen.relation
        UNION ALL
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = seen.relation
    ) below(relation)
), other(class, object) AS (
    SELECT DISTINCT d.refclassid, d.refobjid
    FROM seen
    JOIN pg_catalog.pg_class v ON v.oid = seen.relation AND v.relkind IN ('v', 'm')
    JOIN pg_catalog.pg_rewrite r ON r.ev_class = v.oid
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
    LEFT JOIN pg_catalog.pg_type t ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.refobjid
    -- Enums and rows are values; a domain checks them, and any other type was written in C.
    WHERE d.refclassid NOT IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_namespace'::pg_catalog.regclass)
      AND coalesce(t.typtype NOT IN ('e', 'c'), true)
)
SELECT c.oid AS relation, c.relkind::pg_catalog.text AS kind, pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, c.oid, 0) AS name
FROM seen JOIN pg_catalog.pg_class c ON c.oid = seen.relation AND c.oid <> $1
WHERE c.oid >= 16384
UNION ALL
SELECT NULL, 'code', pg_catalog.pg_describe_object(class, object, 0) FROM other
ORDER BY name
