-- Who logs in for a tenant: its username ('single'), or two users that take turns ('two-user'), which are the tenant's as long as
-- this says so. Which of the two is in force says the secret, and secret_username as it was written last.
ALTER TABLE tenantry.tenants ADD COLUMN rotation text NOT NULL DEFAULT 'single';
