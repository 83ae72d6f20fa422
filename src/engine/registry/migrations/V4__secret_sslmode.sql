-- What the url of a tenant's secret says of encryption. NULL: the secret was written before this was noted, and says nothing,
-- or "require", as the connection had it.
ALTER TABLE tenantry.tenants ADD COLUMN secret_sslmode text;
