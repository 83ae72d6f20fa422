-- The row that only the lock's holder of this number has; a statement of PL/pgSQL.
PERFORM FROM tenantry.apply_lock WHERE fence = {fence} FOR KEY SHARE
