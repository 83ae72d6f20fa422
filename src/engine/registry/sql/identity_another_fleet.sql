-- The database has moved: it goes on under another name than the one that it came from.
UPDATE tenantry.identity
SET former_fleets = former_fleets || fleet, fleet = pg_catalog.gen_random_uuid()::text, reached = '{}'
