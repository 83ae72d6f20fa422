-- The row was deleted: nobody holds the lock. Its number begins beyond all that were ever given, so that whoever worked under one of
-- them finds out; 0 is no backend.
INSERT INTO tenantry.apply_lock (fence, backend, token, username)
VALUES ((extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8, 0, 0, session_user)
ON CONFLICT DO NOTHING
