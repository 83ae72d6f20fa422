-- What acts on the registry's own tables ($1) and is none of its making, with the statement that takes it away, where one does.
-- runs: whoever writes to the tables may run code of somebody else's by it. $2 is the body of the function behind the audit
-- log's trigger. Also asked within each transaction that writes to the registry, see registry/guard.rs.
-- A BEFORE UPDATE OR DELETE OR TRUNCATE trigger FOR EACH STATEMENT has the type 58 (catalog/pg_trigger.h).
WITH ours AS (
    SELECT c.oid, c.relname, c.relowner, c.relrowsecurity, c.relforcerowsecurity, format('tenantry.%I', c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'tenantry' AND c.relname = ANY ($1::text[]::name[]) AND c.relkind IN ('r', 'p')
), refusal AS (
    SELECT p.oid, p.prosrc = $2::text AND NOT p.prosecdef AND p.proconfig = '{search_path=pg_catalog}'
                  AND p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql') AS whole
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'tenantry' AND p.proname = 'refuse_change' AND p.pronargs = 0
), append_only AS (
    SELECT g.oid, g.tgenabled IN ('O', 'A') AS enabled
    FROM pg_trigger g JOIN ours o ON o.oid = g.tgrelid JOIN refusal f ON f.oid = g.tgfoid
    WHERE o.relname = 'audit_log' AND g.tgname = 'append_only' AND g.tgtype = 58 AND g.tgqual IS NULL
), found AS (
    SELECT 1 AS place, format('trigger %I on %s', g.tgname, o.name) AS what, format('DROP TRIGGER %I ON %s', g.tgname, o.name) AS remedy,
           o.relowner AS owner, true AS runs
    FROM pg_trigger g JOIN ours o ON o.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.oid NOT IN (SELECT oid FROM append_only)
    UNION ALL
    SELECT 1, format('rule %I on %s', w.rulename, o.name), format('DROP RULE %I ON %s', w.rulename, o.name), o.relowner, true
    FROM pg_rewrite w JOIN ours o ON o.oid = w.ev_class
    UNION ALL
    SELECT 1, format('policy %I on %s', p.polname, o.name), format('DROP POLICY %I ON %s', p.polname, o.name), o.relowner, true
    FROM pg_policy p JOIN ours o ON o.oid = p.polrelid
    UNION ALL
    SELECT 1, format('row security of %s', o.name), format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', o.name),
           o.relowner, true
    FROM ours o WHERE o.relrowsecurity OR o.relforcerowsecurity
    UNION ALL
    -- Its checks run with casts and operators of whoever made it. Found by the triggers that PostgreSQL makes for it on the table it
    -- refers to: pg_constraint has no index that would lead there, and a fleet has very many.
    SELECT DISTINCT 1, format('foreign key %I of %s on %s', k.conname, k.conrelid::regclass, o.name),
           format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname), c.relowner, true
    FROM ours o JOIN pg_trigger g ON g.tgrelid = o.oid AND g.tgisinternal JOIN pg_constraint k ON k.oid = g.tgconstraint
    JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.contype = 'f' AND k.confrelid = o.oid AND k.conparentid = 0 AND k.conrelid NOT IN (SELECT oid FROM ours)
    UNION ALL
    -- A query of the parent reads the child, and an UPDATE writes to it.
    SELECT 1, format('table %s, which inherits from %s', i.inhrelid::regclass, o.name),
           format('ALTER TABLE %s NO INHERIT %s', i.inhrelid::regclass, o.name), c.relowner, true
    FROM pg_inherits i JOIN ours o ON o.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    UNION ALL
    SELECT 1, format('table %s, from which %s inherits', i.inhparent::regclass, o.name),
           format('ALTER TABLE %s NO INHERIT %s', o.name, i.inhparent::regclass), o.relowner, true
    FROM pg_inherits i JOIN ours o ON o.oid = i.inhrelid
    UNION ALL
    -- Ours use nothing but PostgreSQL's own, which has OIDs below 16384 (manual, "OID Assignment").
    SELECT 1, pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) || ', which ' || pg_describe_object(d.classid, d.objid, d.objsubid) || ' uses',
           NULL, x.relowner, true
    FROM (SELECT 'pg_class'::regclass AS classid, oid, relowner FROM ours
          UNION ALL SELECT 'pg_attrdef'::regclass, a.oid, o.relowner FROM pg_attrdef a JOIN ours o ON o.oid = a.adrelid
          UNION ALL SELECT 'pg_constraint'::regclass, k.oid, o.relowner FROM pg_constraint k JOIN ours o ON o.oid = k.conrelid
          UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, o.relowner FROM pg_index i JOIN ours o ON o.oid = i.indrelid) x
    JOIN pg_depend d ON d.classid = x.classid AND d.objid = x.oid
    WHERE d.refobjid >= 16384 AND d.refclassid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass,
                                                   'pg_opfamily'::regclass, 'pg_collation'::regclass, 'pg_cast'::regclass)
    UNION ALL
    SELECT 2, 'function tenantry.refuse_change(), which keeps the audit log append-only: replaced',
           format('CREATE OR REPLACE FUNCTION tenantry.refuse_change() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog AS %L', $2::text),
           o.relowner, false
    FROM ours o WHERE o.relname = 'audit_log' AND NOT EXISTS (SELECT FROM refusal f WHERE f.whole)
    UNION ALL
    SELECT 3, 'trigger append_only on tenantry.audit_log: gone',
           'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenantry.audit_log FOR EACH STATEMENT EXECUTE FUNCTION tenantry.refuse_change()',
           o.relowner, false
    FROM ours o WHERE o.relname = 'audit_log' AND NOT EXISTS (SELECT FROM append_only)
    UNION ALL
    SELECT 3, 'trigger append_only on tenantry.audit_log: disabled', 'ALTER TABLE tenantry.audit_log ENABLE TRIGGER append_only', o.relowner, false
    FROM ours o WHERE o.relname = 'audit_log' AND EXISTS (SELECT FROM append_only a WHERE NOT a.enabled)
)
