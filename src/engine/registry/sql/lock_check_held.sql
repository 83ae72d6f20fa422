-- Has the session that took the lock ended, or somebody else taken it since? {kept} is lock_kept.sql, where there is a registry.
DO $$DECLARE held bool := true; BEGIN {kept}IF NOT held OR NOT EXISTS (SELECT FROM pg_catalog.pg_locks l
WHERE l.pid = {backend} AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = {token}) THEN
RAISE EXCEPTION USING ERRCODE = '{lost}',
MESSAGE = 'apply has lost its lock: the session that held it (backend {backend}) has ended, and another apply may be running',
HINT = 'the server''s log says why it ended; run apply again, which plans again'; END IF; END$$
