-- Locks the registry's tables and fails when writing to them would run somebody else's code. {foreign} is foreign.sql.
DO $tenantry_guard$DECLARE item text; BEGIN
FOR item IN SELECT pg_catalog.format('LOCK TABLE tenantry.%I IN ROW EXCLUSIVE MODE', c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'tenantry' AND c.relkind IN ('r', 'p') AND c.relname = ANY ({tables}::text[]::name[]) ORDER BY c.relname LOOP EXECUTE item; END LOOP;
{foreign} SELECT what INTO item FROM found WHERE runs ORDER BY what LIMIT 1;
IF FOUND THEN RAISE EXCEPTION USING ERRCODE = '{not_ours}', MESSAGE = pg_catalog.format('something on tenantry''s own tables does not belong to tenantry, and would run as tenantry: %s', item), HINT = {hint}; END IF; END$tenantry_guard$
