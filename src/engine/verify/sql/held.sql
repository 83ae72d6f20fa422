-- What the tenant's login and its owner role hold on what the owner owns in the schema ($1), grouped, by the letters of aclitem.
-- The schema itself too, which a foreign key's check looks for the other table in, as the owner.
-- held: on the whole object. anywhere: on at least one column too. owner_holds: $2's. $3 is the table of the migration history.
-- Asked as the tenant, so that what PUBLIC and memberships give counts. MAINTAIN is new in 17, and an error before.
WITH letter (letter, privilege) AS (
    VALUES ('D', 'TRUNCATE'), ('a', 'INSERT'), ('d', 'DELETE'), ('r', 'SELECT'), ('t', 'TRIGGER'), ('w', 'UPDATE'), ('x', 'REFERENCES')
    UNION ALL SELECT 'm', 'MAINTAIN' WHERE current_setting('server_version_num')::int >= 170000
), owner AS (
    SELECT oid FROM pg_roles WHERE rolname = $2::text::name
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), held AS (
    SELECT CASE WHEN c.relname = $3 THEN 'h' ELSE 'r' END AS kind, c.relname::text AS name,
           (SELECT string_agg(letter, '' ORDER BY letter COLLATE "C") FROM letter WHERE has_table_privilege(c.oid, privilege)) AS held,
           (SELECT string_agg(letter, '' ORDER BY letter COLLATE "C") FROM letter
            WHERE CASE WHEN letter IN ('a', 'r', 'w', 'x') THEN has_any_column_privilege(c.oid, privilege)
                       ELSE has_table_privilege(c.oid, privilege) END) AS anywhere,
           (SELECT string_agg(letter, '' ORDER BY letter COLLATE "C") FROM letter WHERE has_table_privilege(o.oid, c.oid, privilege)) AS owner_holds
    FROM pg_class c JOIN owner o ON o.oid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT 'S', c.relname::text, s.held, s.held, s.owner_holds
    FROM pg_class c JOIN owner o ON o.oid = c.relowner JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (
             SELECT string_agg(letter, '' ORDER BY letter COLLATE "C") FILTER (WHERE has_sequence_privilege(c.oid, privilege)) AS held,
                    string_agg(letter, '' ORDER BY letter COLLATE "C") FILTER (WHERE has_sequence_privilege(o.oid, c.oid, privilege)) AS owner_holds
             FROM (VALUES ('U', 'USAGE'), ('r', 'SELECT'), ('w', 'UPDATE')) AS v (letter, privilege)
         ) s
    WHERE n.nspname = $1::text::name AND c.relkind = 'S'
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
    UNION ALL
    SELECT 'f', p.proname || '()', CASE WHEN has_function_privilege(p.oid, 'EXECUTE') THEN 'X' END,
           CASE WHEN has_function_privilege(p.oid, 'EXECUTE') THEN 'X' END,
           CASE WHEN has_function_privilege(o.oid, p.oid, 'EXECUTE') THEN 'X' END
    FROM pg_proc p JOIN owner o ON o.oid = p.proowner JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = $1::text::name
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
    UNION ALL
    SELECT 'T', y.typname::text, CASE WHEN has_type_privilege(y.oid, 'USAGE') THEN 'U' END,
           CASE WHEN has_type_privilege(y.oid, 'USAGE') THEN 'U' END,
           CASE WHEN has_type_privilege(o.oid, y.oid, 'USAGE') THEN 'U' END
    FROM pg_type y JOIN owner o ON o.oid = y.typowner JOIN pg_namespace n ON n.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE n.nspname = $1::text::name AND y.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = y.oid)
    UNION ALL
    SELECT 'n', n.nspname::text, '', '',
           concat(CASE WHEN has_schema_privilege(o.oid, n.oid, 'CREATE') THEN 'C' END, CASE WHEN has_schema_privilege(o.oid, n.oid, 'USAGE') THEN 'U' END)
    FROM pg_namespace n CROSS JOIN owner o WHERE n.nspname = $1::text::name
)
SELECT kind, coalesce(held, '') AS held, coalesce(anywhere, '') AS anywhere, coalesce(owner_holds, '') AS owner_holds, count(*) AS count,
       (array_agg(name ORDER BY name COLLATE "C"))[1:3] AS examples
FROM held
GROUP BY kind, held, anywhere, owner_holds
ORDER BY kind, held, anywhere, owner_holds
