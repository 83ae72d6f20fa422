-- What tells this database from a copy of it, by what its secrets say.
SELECT i.fleet, i.former_fleets, i.reached,
       coalesce(i.server_started = pg_catalog.pg_postmaster_start_time(), false) AS is_same_start,
       ARRAY(SELECT r.run FROM tenantry.runs r ORDER BY r.run) AS runs
FROM tenantry.identity i
ORDER BY 1
