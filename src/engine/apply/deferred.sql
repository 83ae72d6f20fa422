-- What COMMIT would do with deferred constraints and constraint triggers, for files that share a transaction: runs them, and
-- then each is as it was declared again. By name, because after SET CONSTRAINTS ALL those that a later file makes would
-- not be as they are declared. Events are pending only on tables that this transaction wrote to, which its locks tell; those
-- that run may write to more. What the triggers run finds the file's own search_path; what this asks, pg_catalog alone.
DO $tenantry$
DECLARE
  path text := pg_catalog.current_setting('search_path');
  wanted text;
  before text;
  declared text;
BEGIN
  LOOP
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
    -- SET CONSTRAINTS ... DEFERRED refuses a name that some constraint that is not deferrable has too.
    SELECT string_agg(DISTINCT c.name, ', ' ORDER BY c.name),
           string_agg(DISTINCT c.name, ', ' ORDER BY c.name) FILTER (WHERE c.deferred AND NOT EXISTS (
             SELECT FROM pg_constraint o WHERE o.conname = c.conname AND o.connamespace = c.connamespace AND NOT o.condeferrable))
      INTO wanted, declared
      FROM (SELECT format('%I.%I', n.nspname, k.conname) AS name, k.conname, k.connamespace, t.tginitdeferred AS deferred
            FROM (SELECT DISTINCT relation FROM pg_locks WHERE locktype = 'relation' AND granted AND pid = pg_backend_pid()
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND mode NOT IN ('AccessShareLock', 'RowShareLock')) l
            JOIN pg_trigger t ON t.tgrelid = l.relation AND t.tgdeferrable
            JOIN pg_constraint k ON k.oid = t.tgconstraint
            JOIN pg_namespace n ON n.oid = k.connamespace) c;
    EXIT WHEN wanted IS NULL OR wanted IS NOT DISTINCT FROM before;
    PERFORM pg_catalog.set_config('search_path', path, true);
    EXECUTE 'SET CONSTRAINTS ' || wanted || ' IMMEDIATE';
    before := wanted;
  END LOOP;
  IF declared IS NOT NULL THEN
    EXECUTE 'SET CONSTRAINTS ' || declared || ' DEFERRED';
  END IF;
  PERFORM pg_catalog.set_config('search_path', path, true);
END $tenantry$
