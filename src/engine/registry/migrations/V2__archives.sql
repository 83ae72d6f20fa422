-- A tenant on its way: filled from an archive, or dropped a part at a time.
ALTER TABLE tenantry.tenants DROP CONSTRAINT tenants_state_check;
ALTER TABLE tenantry.tenants ADD CONSTRAINT tenants_state_check
    CHECK (state IN ('active', 'retained', 'restoring', 'removing', 'removed'));

-- The role that pg_dump or pg_restore logs in as, for as long as it takes; a crash leaves it to the next apply.
ALTER TABLE tenantry.tenants ADD COLUMN deputy text;
