-- What a set of migrations ($1) makes, if it is not remembered yet.
WITH made AS (
    INSERT INTO tenantry.migration_sets (digest, tenantry_version) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING digest
)
INSERT INTO tenantry.migration_objects (digest, kind, name)
SELECT m.digest, o.kind, o.name
FROM made m
CROSS JOIN unnest($3::text[], $4::text[]) AS o (kind, name)
