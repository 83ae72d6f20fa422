-- The shape of these schemas ($1), of which the roles $2 are the usernames and $3 the owners: every object with its parts,
-- each with its definition, without the history tables ($5), what extensions bring, and what PostgreSQL makes by itself.
-- own: made by the tenant, unless its shape is strict ($4). The queries of shape_rows.sql and shape_digests.sql follow.
--
-- A definition is spelled with the tenant's own schema in the search_path, so that no name of that schema is qualified
-- and every tenant's reads alike. CASE, because only it promises that the path is set before the definition is spelled
-- (manual 4.2.14). Spelling a definition evaluates none of it.
WITH RECURSIVE tenant AS MATERIALIZED (
    SELECT n.oid, n.nspname, coalesce(u.oid, 0) AS username, coalesce(o.oid, 0) AS owner,
           CASE WHEN u.oid <> o.oid AND NOT t.strict THEN u.oid ELSE 0 END AS maker,
           'pg_catalog, ' || quote_ident(n.nspname) || ', pg_temp' AS path
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bool[]) AS t (schema, username, owner, strict)
    JOIN pg_namespace n ON n.nspname = t.schema::name
    LEFT JOIN pg_roles u ON u.rolname = t.username::name
    LEFT JOIN pg_roles o ON o.rolname = t.owner::name
), member AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
), relation AS MATERIALIZED (
    SELECT t.nspname, t.path, t.username, t.owner, c.oid, c.relname, c.relkind, c.relispartition,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                          WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
           c.relowner = t.maker AS own
    FROM pg_class c JOIN tenant t ON t.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> ALL ($5::text[]::name[])
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
), routine AS MATERIALIZED (
    SELECT t.nspname, t.path, p.oid, p.proowner = t.maker AS own
    FROM pg_proc p JOIN tenant t ON t.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')
), switched (oid, enabled) AS (
    -- Triggers of constraints that do not fire as they were made: foreign keys, deferrable keys. DISABLE TRIGGER ALL is a
    -- superuser's. And those of partitions that do not fire as their parent's. Said of the one at the top.
    SELECT g.tgconstraint, g.tgenabled
    FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid
    WHERE g.tgisinternal AND g.tgconstraint <> 0 AND g.tgenabled <> 'O'
    UNION
    SELECT k.conparentid, s.enabled FROM switched s JOIN pg_constraint k ON k.oid = s.oid WHERE k.conparentid <> 0
), switched_clone (oid) AS (
    SELECT g.tgparentid
    FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid JOIN pg_trigger p ON p.oid = g.tgparentid
    WHERE g.tgconstraint = 0 AND g.tgenabled <> p.tgenabled
    UNION
    SELECT g.tgparentid FROM switched_clone s JOIN pg_trigger g ON g.oid = s.oid WHERE g.tgparentid <> 0
), published AS MATERIALIZED (
    -- Publications that a table was put into, alone or with its schema (15 and later, whose catalog cannot be named before).
    -- Through to_jsonb: which columns (attributes), and of which rows (filter), are 15's too.
    SELECT b.prrelid AS relation, 0::oid AS namespace, p.pubname, nullif(to_jsonb(b) -> 'prattrs', 'null') AS attributes,
           ARRAY(SELECT m[1]::int2 FROM regexp_matches(to_jsonb(b) ->> 'prqual', ':varattno (\d+)', 'g') AS m) AS filter
    FROM pg_publication p JOIN pg_publication_rel b ON b.prpubid = p.oid
    WHERE p.pubupdate OR p.pubdelete
    UNION ALL
    SELECT 0, n.refobjid, p.pubname, NULL, '{}'
    FROM pg_publication p
    JOIN pg_depend d ON d.refclassid = 'pg_publication'::regclass AND d.refobjid = p.oid AND d.classid = to_regclass('pg_catalog.pg_publication_namespace')
    JOIN pg_depend n ON n.classid = d.classid AND n.objid = d.objid AND n.refclassid = 'pg_namespace'::regclass
    WHERE p.pubupdate OR p.pubdelete
), items AS (
    SELECT r.nspname, r.kind, r.relname::text AS object, '' AS part_kind, '' AS part, 0::bigint AS position, r.own,
           r.relispartition AS is_partition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN concat_ws(' ',
               CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
               CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid, true) END,
               CASE WHEN r.relkind = 'm' AND NOT c.relispopulated THEN 'WITH NO DATA' END,
               CASE WHEN c.relispartition THEN 'PARTITION OF' ELSE 'INHERITS' END
                   || (SELECT string_agg(' ' || i.inhparent::regclass::text, ',' ORDER BY i.inhseqno)
                       FROM pg_inherits i WHERE i.inhrelid = r.oid),
               pg_get_expr(c.relpartbound, r.oid),
               'PARTITION BY ' || CASE WHEN r.relkind = 'p' THEN pg_get_partkeydef(r.oid) END,
               CASE WHEN r.relkind = 'r' THEN 'USING ' || (SELECT quote_ident(a.amname) FROM pg_am a WHERE a.oid = c.relam AND a.amname <> 'heap') END,
               'OF ' || CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
               'WITH (' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(c.reloptions) o) || ')',
               CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
               CASE WHEN c.relforcerowsecurity THEN 'FORCE ROW LEVEL SECURITY' END,
               CASE c.relreplident WHEN 'f' THEN 'REPLICA IDENTITY FULL' WHEN 'n' THEN CASE WHEN r.relkind IN ('r', 'p') THEN 'REPLICA IDENTITY NOTHING' END
                   WHEN 'i' THEN 'REPLICA IDENTITY USING ' || (SELECT x.indexrelid::regclass::text FROM pg_index x WHERE x.indrelid = r.oid AND x.indisreplident) END,
               -- PostgreSQL refuses to update or delete what it publishes and cannot identify.
               (SELECT 'WITHOUT REPLICA IDENTITY IN PUBLICATION ' || string_agg(DISTINCT quote_ident(b.pubname), ', ')
                FROM published b
                WHERE r.relkind = 'r' AND (b.relation = r.oid OR b.namespace = c.relnamespace
                       OR EXISTS (SELECT FROM pg_partition_ancestors(r.oid) p JOIN pg_class a ON a.oid = p.relid
                                  WHERE b.relation = p.relid OR b.namespace = a.relnamespace))
                  AND (c.relreplident = 'n'
                       OR c.relreplident <> 'f' AND NOT EXISTS (
                           SELECT FROM pg_index x WHERE x.indrelid = r.oid AND x.indisvalid
                           AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END))
                HAVING count(*) > 0),
               -- Nor what a column list or a row filter keeps it from identifying.
               (SELECT 'WITHOUT COLUMNS OF ITS REPLICA IDENTITY IN PUBLICATION ' || string_agg(DISTINCT quote_ident(b.pubname), ', ')
                FROM published b
                WHERE r.relkind = 'r' AND b.relation = r.oid
                  AND CASE c.relreplident WHEN 'f' THEN b.attributes IS NOT NULL ELSE EXISTS (
                      SELECT FROM pg_index x
                      WHERE x.indrelid = r.oid AND CASE c.relreplident WHEN 'i' THEN x.indisreplident ELSE x.indisprimary END
                        AND (NOT x.indkey::int2[] @> b.filter
                             OR EXISTS (SELECT FROM unnest(x.indkey::int2[]) k WHERE NOT b.attributes @> to_jsonb(k)))) END
                HAVING count(*) > 0),
               (SELECT concat_ws(' ', 'SERVER', quote_ident(s.srvname), 'OPTIONS (' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(f.ftoptions) o) || ')')
                FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = r.oid),
               (SELECT concat_ws(' ', 'AS', format_type(q.seqtypid, NULL), 'START', q.seqstart, 'INCREMENT', q.seqincrement, 'MINVALUE', q.seqmin,
                                 'MAXVALUE', q.seqmax, 'CACHE', q.seqcache, CASE WHEN q.seqcycle THEN 'CYCLE' END)
                FROM pg_sequence q WHERE q.seqrelid = r.oid),
               (SELECT 'OWNED BY ' || d.refobjid::regclass::text || '.' || quote_ident(a.attname)
                FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                WHERE r.relkind = 'S' AND d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
                  AND d.deptype IN ('a', 'i'))
           ) END AS definition
    FROM relation r JOIN pg_class c ON c.oid = r.oid
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'column', a.attname, row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN concat_ws(' ',
               format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attcollation <> y.typcollation AND a.attcollation <> 0 THEN 'COLLATE ' || a.attcollation::regcollation::text END,
               CASE WHEN a.attstorage <> y.typstorage THEN 'STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
               CASE a.attcompression WHEN 'p' THEN 'COMPRESSION pglz' WHEN 'l' THEN 'COMPRESSION lz4' END,
               CASE WHEN a.attnotnull THEN 'NOT NULL' END,
               -- 18 and later.
               CASE WHEN a.attnotnull AND current_setting('server_version_num')::int >= 180000 AND EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'n'
                                                  AND k.conkey[1] = a.attnum AND NOT k.convalidated) THEN 'NOT VALID' END,
               'OPTIONS (' || (SELECT string_agg(o, ', ' ORDER BY o) FROM unnest(a.attfdwoptions) o) || ')',
               CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
               CASE a.attgenerated WHEN '' THEN 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                   ELSE 'GENERATED ALWAYS AS (' || pg_get_expr(d.adbin, d.adrelid) || CASE a.attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END END
           ) END
    FROM relation r
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    -- A view's column may have a default of its own.
    WHERE r.relkind IN ('r', 'p', 'f') OR r.relkind = 'v' AND d.adbin IS NOT NULL
    UNION ALL
    -- NOT NULL is said of the column; PostgreSQL 18 gives it a constraint with a name as well.
    SELECT r.nspname, r.kind, r.relname, 'constraint', k.conname, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN
               concat_ws(' ', pg_get_constraintdef(k.oid, true),
                   (SELECT string_agg(CASE s.enabled WHEN 'D' THEN 'TRIGGERS DISABLED' WHEN 'R' THEN 'TRIGGERS ENABLED REPLICA'
                                                     ELSE 'TRIGGERS ENABLED ALWAYS' END, ' ' ORDER BY s.enabled) FROM switched s WHERE s.oid = k.oid),
                   CASE WHEN k.contype IN ('p', 'u', 'x')
                             AND EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = k.conindid AND NOT x.indisvalid) THEN 'INVALID' END) END
    FROM relation r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'index', i.relname, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN
               concat_ws(' ', pg_get_indexdef(x.indexrelid, 0, true), CASE WHEN NOT x.indisvalid THEN 'INVALID' END) END
    FROM relation r JOIN pg_index x ON x.indrelid = r.oid JOIN pg_class i ON i.oid = x.indexrelid
    WHERE NOT i.relispartition AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'statistics', s.stxname, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN
               concat_ws(' ', array_to_string(s.stxkind, ''), 'ON', pg_get_statisticsobjdef_columns(s.oid)) END
    FROM relation r JOIN pg_statistic_ext s ON s.stxrelid = r.oid
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'trigger', g.tgname, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN
               concat_ws(' ', pg_get_triggerdef(g.oid, true),
                   CASE g.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'ENABLED REPLICA' WHEN 'A' THEN 'ENABLED ALWAYS' END,
                   CASE WHEN g.oid IN (SELECT s.oid FROM switched_clone s) THEN 'OTHERWISE ON A PARTITION' END) END
    FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid AND NOT g.tgisinternal AND g.tgparentid = 0
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'rule', w.rulename, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN
               concat_ws(' ', pg_get_ruledef(w.oid, true),
                   CASE w.ev_enabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'ENABLED REPLICA' WHEN 'A' THEN 'ENABLED ALWAYS' END) END
    FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
    UNION ALL
    SELECT r.nspname, r.kind, r.relname, 'policy', p.polname, 0, r.own, r.relispartition,
           CASE WHEN set_config('search_path', r.path, true) IS NOT NULL THEN concat_ws(' ',
               CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
               'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
               'TO ' || (SELECT string_agg(n.name, ', ' ORDER BY n.name) FROM unnest(p.polroles) o
                         CROSS JOIN LATERAL (SELECT CASE o WHEN 0 THEN 'PUBLIC' WHEN r.username THEN '{username}' WHEN r.owner THEN '{owner}'
                                                           ELSE o::regrole::text END AS name) n),
               'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
               'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
           ) END
    FROM relation r JOIN pg_policy p ON p.polrelid = r.oid
    UNION ALL
    -- pg_get_functiondef qualifies the function's name and knows no aggregates.
    SELECT f.nspname, CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
           CASE WHEN set_config('search_path', f.path, true) IS NOT NULL THEN
               quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')' END,
           '', '', 0, f.own, false,
           CASE WHEN set_config('search_path', f.path, true) IS NOT NULL THEN concat_ws(' ',
               '(' || pg_get_function_arguments(p.oid) || ')',
               'RETURNS ' || pg_get_function_result(p.oid),
               'LANGUAGE ' || (SELECT quote_ident(l.lanname) FROM pg_language l WHERE l.oid = p.prolang),
               CASE p.prokind WHEN 'w' THEN 'WINDOW' END,
               CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' END,
               CASE WHEN p.proisstrict THEN 'STRICT' END,
               CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
               CASE WHEN p.proleakproof THEN 'LEAKPROOF' END,
               CASE p.proparallel WHEN 's' THEN 'PARALLEL SAFE' WHEN 'r' THEN 'PARALLEL RESTRICTED' END,
               'COST ' || p.procost::text, 'ROWS ' || nullif(p.prorows, 0)::text,
               'SUPPORT ' || CASE WHEN p.prosupport <> 0 THEN p.prosupport::regproc::text END,
               (SELECT string_agg('SET ' || s, ' ' ORDER BY s) FROM unnest(p.proconfig) s),
               (SELECT concat_ws(' ', 'SFUNC', g.aggtransfn::regproc::text, 'STYPE', format_type(g.aggtranstype, NULL),
                                 CASE WHEN g.aggfinalfn <> 0 THEN 'FINALFUNC ' || g.aggfinalfn::regproc::text END, 'INITCOND ' || quote_literal(g.agginitval))
                FROM pg_aggregate g WHERE g.aggfnoid = p.oid),
               E'\n' || coalesce(pg_get_function_sqlbody(p.oid), CASE WHEN p.prokind <> 'a' THEN p.prosrc END)
           ) END
    FROM routine f JOIN pg_proc p ON p.oid = f.oid
    UNION ALL
    SELECT t.nspname, CASE y.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, y.typname, '', '', 0, y.typowner = t.maker, false,
           CASE WHEN set_config('search_path', t.path, true) IS NOT NULL THEN CASE y.typtype
               WHEN 'e' THEN 'ENUM (' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = y.oid) || ')'
               WHEN 'd' THEN concat_ws(' ', 'AS', format_type(y.typbasetype, y.typtypmod),
                   (SELECT 'COLLATE ' || y.typcollation::regcollation::text FROM pg_type b
                    WHERE b.oid = y.typbasetype AND b.typcollation <> y.typcollation AND y.typcollation <> 0),
                   CASE WHEN y.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || pg_get_expr(y.typdefaultbin, 0),
                   (SELECT string_agg('CONSTRAINT ' || quote_ident(k.conname) || ' ' || pg_get_constraintdef(k.oid, true), ' ' ORDER BY k.conname)
                    FROM pg_constraint k WHERE k.contypid = y.oid AND k.contype = 'c'))
               WHEN 'r' THEN (SELECT concat_ws(' ', 'RANGE OF', format_type(g.rngsubtype, NULL), CASE WHEN g.rngsubdiff <> 0 THEN 'SUBTYPE_DIFF ' || g.rngsubdiff::regproc::text END,
                                  CASE WHEN g.rngcanonical <> 0 THEN 'CANONICAL ' || g.rngcanonical::regproc::text END)
                              FROM pg_range g WHERE g.rngtypid = y.oid)
               ELSE '(' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum)
                                     FROM pg_attribute a WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
           END END
    FROM pg_type y JOIN tenant t ON t.oid = y.typnamespace LEFT JOIN pg_class c ON c.oid = y.typrelid
    WHERE y.typtype IN ('e', 'd', 'r', 'c') AND (c.oid IS NULL OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = y.oid)
    UNION ALL
    -- By whatever type of the schema it is a cast.
    SELECT c.nspname, 'cast',
           CASE WHEN set_config('search_path', c.path, true) IS NOT NULL THEN
               '(' || format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL) || ')' END,
           '', '', 0, c.own, false,
           CASE WHEN set_config('search_path', c.path, true) IS NOT NULL THEN concat_ws(' ',
               CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure::text WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
               CASE c.castcontext WHEN 'a' THEN 'AS ASSIGNMENT' WHEN 'i' THEN 'AS IMPLICIT' END) END
    FROM (
        SELECT nspname, path, castsource, casttarget, castfunc, castcontext, castmethod, bool_or(own) AS own
        FROM (
            SELECT t.nspname, t.path, c.*, y.typowner = t.maker AS own
            FROM tenant t JOIN pg_type y ON y.typnamespace = t.oid JOIN pg_cast c ON c.castsource = y.oid
            UNION ALL
            SELECT t.nspname, t.path, c.*, y.typowner = t.maker
            FROM tenant t JOIN pg_type y ON y.typnamespace = t.oid JOIN pg_cast c ON c.casttarget = y.oid
        ) x
        WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_cast'::regclass AND m.objid = x.oid)
        GROUP BY nspname, path, oid, castsource, casttarget, castfunc, castcontext, castmethod
    ) c
    UNION ALL
    -- What is rare: that it is there, and of what.
    SELECT t.nspname, o.kind, o.object, '', '', 0, o.owner = t.maker, false,
           CASE WHEN set_config('search_path', t.path, true) IS NOT NULL THEN CASE o.kind
               WHEN 'operator' THEN (SELECT concat_ws(' ', '(' || format_type(p.oprleft, NULL) || ', ' || format_type(p.oprright, NULL) || ')', 'FUNCTION', p.oprcode::regproc::text,
                                                      CASE WHEN p.oprcanhash THEN 'HASHES' END, CASE WHEN p.oprcanmerge THEN 'MERGES' END)
                                     FROM pg_operator p WHERE p.oid = o.oid)
               -- Its locale has another column in each of 14, 15 and 17.
               WHEN 'collation' THEN (SELECT concat_ws(' ', 'PROVIDER', c.collprovider, CASE WHEN NOT c.collisdeterministic THEN 'NONDETERMINISTIC' END,
                                             'LC_COLLATE ' || c.collcollate::text, 'LC_CTYPE ' || c.collctype::text,
                                             'LOCALE ' || coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale'))
                                      FROM pg_collation c WHERE c.oid = o.oid)
               WHEN 'conversion' THEN (SELECT concat_ws(' ', CASE WHEN c.condefault THEN 'DEFAULT' END, 'FOR', pg_encoding_to_char(c.conforencoding), 'TO',
                                              pg_encoding_to_char(c.contoencoding), 'FROM', c.conproc::regproc::text)
                                       FROM pg_conversion c WHERE c.oid = o.oid)
               WHEN 'operator class' THEN (SELECT concat_ws(' ', CASE WHEN c.opcdefault THEN 'DEFAULT' END, 'FOR TYPE', format_type(c.opcintype, NULL), 'USING',
                                                  (SELECT a.amname FROM pg_am a WHERE a.oid = c.opcmethod),
                                                  'STORAGE ' || CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END)
                                           FROM pg_opclass c WHERE c.oid = o.oid)
               WHEN 'text search configuration' THEN (SELECT concat_ws(' ', 'PARSER', (SELECT quote_ident(p.prsname) FROM pg_ts_parser p WHERE p.oid = c.cfgparser),
                                                             (SELECT string_agg(m.maptokentype::text || ': ' || m.mapdict::regdictionary::text, ', ' ORDER BY m.maptokentype, m.mapseqno)
                                                              FROM pg_ts_config_map m WHERE m.mapcfg = c.oid))
                                                      FROM pg_ts_config c WHERE c.oid = o.oid)
               WHEN 'text search dictionary' THEN (SELECT concat_ws(' ', 'TEMPLATE', (SELECT quote_ident(p.tmplname) FROM pg_ts_template p WHERE p.oid = c.dicttemplate), c.dictinitoption)
                                                   FROM pg_ts_dict c WHERE c.oid = o.oid)
               ELSE '' END END
    FROM tenant t JOIN (
        SELECT 'operator' AS kind, 'pg_operator'::regclass AS class, oid, oprnamespace AS namespace, oprname::text AS object, oprowner AS owner FROM pg_operator
        UNION ALL SELECT 'collation', 'pg_collation', oid, collnamespace, collname, collowner FROM pg_collation
        UNION ALL SELECT 'conversion', 'pg_conversion', oid, connamespace, conname, conowner FROM pg_conversion
        UNION ALL SELECT 'operator class', 'pg_opclass', oid, opcnamespace, opcname, opcowner FROM pg_opclass
        UNION ALL SELECT 'operator family', 'pg_opfamily', oid, opfnamespace, opfname, opfowner FROM pg_opfamily
        UNION ALL SELECT 'text search configuration', 'pg_ts_config', oid, cfgnamespace, cfgname, cfgowner FROM pg_ts_config
        UNION ALL SELECT 'text search dictionary', 'pg_ts_dict', oid, dictnamespace, dictname, dictowner FROM pg_ts_dict
        UNION ALL SELECT 'extension', 'pg_extension', oid, extnamespace, extname, extowner FROM pg_extension
    ) o ON o.namespace = t.oid
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = o.class AND m.objid = o.oid)
)
, titled AS (
    SELECT *, concat_ws(' ', kind, object, nullif(part_kind, ''), nullif(part, '')) AS title FROM items
)
