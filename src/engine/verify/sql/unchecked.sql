-- Constraints in this schema ($1) that PostgreSQL does not check, because somebody disabled the triggers that do it: a
-- superuser with DISABLE TRIGGER ALL, as pg_restore --disable-triggers does for a while.
SELECT DISTINCT k.conname::text AS name, c.relname::text AS relation
FROM pg_namespace n
JOIN pg_class r ON r.relnamespace = n.oid
JOIN pg_trigger g ON g.tgrelid = r.oid AND g.tgisinternal AND g.tgenabled IN ('D', 'R')
JOIN pg_constraint k ON k.oid = g.tgconstraint
JOIN pg_class c ON c.oid = k.conrelid
WHERE n.nspname = $1::text::name
ORDER BY relation, name
