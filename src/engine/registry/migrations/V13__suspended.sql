-- Whether a tenant is suspended: the last apply ended its sessions, and nobody logs in as it until one lets it in again. Only once
-- the sessions are ended is it noted here, so that an apply that was killed in between is done again.
ALTER TABLE tenantry.tenants ADD COLUMN suspended boolean NOT NULL DEFAULT false;
