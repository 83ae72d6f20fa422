-- What a set of migrations makes in a tenant's schema, so that it is known for theirs whoever owns it since. One row for each set
-- that tenants have, by the digest of its histories' rows: versions, names and checksums.
CREATE TABLE tenantry.migration_sets (
    digest text PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    tenantry_version text NOT NULL
);
COMMENT ON TABLE tenantry.migration_sets IS 'Sets of migrations of which it is known what they make.';
CREATE TABLE tenantry.migration_objects (
    digest text NOT NULL REFERENCES tenantry.migration_sets ON DELETE CASCADE,
    kind text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (digest, kind, name)
);
COMMENT ON TABLE tenantry.migration_objects IS 'What each set makes, as pg_identify_object has it, without the schema.';
