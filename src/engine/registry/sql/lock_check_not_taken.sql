-- Has somebody else taken the lock since? {kept} is lock_kept.sql.
DO $$BEGIN {kept}; IF NOT FOUND THEN
RAISE EXCEPTION USING ERRCODE = '{lost}', MESSAGE = 'apply has lost its lock: another apply has taken it',
HINT = 'the other one finishes what this one left'; END IF; END$$
