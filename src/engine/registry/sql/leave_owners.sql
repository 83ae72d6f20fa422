-- These roles are about to lose their last tenants.
INSERT INTO tenantry.former_owners (role)
SELECT unnest($1::text[])
ON CONFLICT DO NOTHING
