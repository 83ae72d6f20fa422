-- The addresses by which the database was reached ($1), and the server's start; see home.rs.
UPDATE tenantry.identity
SET server_started = pg_catalog.pg_postmaster_start_time(), reached = $1::text[]
WHERE (reached = '{}' OR reached && $1::text[])
  AND (reached <> $1::text[] OR server_started IS DISTINCT FROM pg_catalog.pg_postmaster_start_time())
