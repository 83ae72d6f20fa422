-- A tenant that was adopted may keep a password that nobody told tenantry: then it has no secret until it is rotated.
ALTER TABLE tenantry.tenants DROP CONSTRAINT tenants_password_source_check;
ALTER TABLE tenantry.tenants ADD CONSTRAINT tenants_password_source_check
    CHECK (password_source IN ('given', 'generated', 'kept'));
