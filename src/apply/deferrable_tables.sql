-- Which tables could still have a tenant's code to run at COMMIT? Those of the schema ($1), of the tenant's roles ($2),
-- and our session's temporary ones, with a deferrable trigger that is not PostgreSQL's own, or with a deferrable
-- exclusion constraint, whose recheck evaluates index expressions.
SELECT n.nspname::text AS schema, c.relname::text AS name, r.rolname::text AS owner,
       'the deferrable trigger ' || min(t.tgname::text) AS why
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles r ON r.oid = c.relowner
JOIN pg_proc p ON p.oid = t.tgfoid
LEFT JOIN pg_constraint x ON x.oid = t.tgconstraint
WHERE t.tgdeferrable
  AND (n.nspname = $1::text::name OR r.rolname = ANY ($2::text[]::name[]) OR n.oid = pg_my_temp_schema())
  AND (p.pronamespace <> 'pg_catalog'::regnamespace OR x.contype = 'x')
GROUP BY n.nspname, c.relname, r.rolname
ORDER BY n.nspname, c.relname, r.rolname
