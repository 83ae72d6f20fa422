-- Who declared a tenant when it was last applied to: a file ('file'), its source ('source'), or a program that creates tenants one
-- by one ('api'). That tenants.toml does not name one of the last says nothing: it is not removed for that.
ALTER TABLE tenantry.tenants ADD COLUMN declared_by text NOT NULL DEFAULT 'file' CHECK (declared_by IN ('file', 'source', 'api'));
