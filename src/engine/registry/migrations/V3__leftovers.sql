-- Where the versions of a tenant's secret count: two places count for themselves. NULL: written before this was noted.
ALTER TABLE tenantry.tenants ADD COLUMN secret_place text;

-- What a change leaves to be done after its COMMIT, so that a crash in between leaves nothing for good.
CREATE TABLE tenantry.former_secrets (
    store text NOT NULL,
    place text NOT NULL,
    path text NOT NULL,
    tenant text NOT NULL,
    version text NOT NULL,
    PRIMARY KEY (store, place, path)
);
COMMENT ON TABLE tenantry.former_secrets IS 'Secrets of tenants that have another one now, to be deleted.';
CREATE TABLE tenantry.former_owners (
    role text PRIMARY KEY
);
COMMENT ON TABLE tenantry.former_owners IS 'Owner roles that were shared; each is dropped once no tenant has it.';
