-- The name of a tenant's refinery history when it was last applied to: another name in tenants.toml would run every migration
-- again. NULL: not noted yet; the next apply notes it where there is a table of the configured name.
ALTER TABLE tenantry.tenants ADD COLUMN history_table text;
