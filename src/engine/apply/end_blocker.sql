-- Ends the backend $1 if it still keeps $2 from a lock and is a session of a tenant's: of the role $3, which the registry knew as a
-- username at the look, and which is neither a superuser's, nor for replication, nor ours. Reads nothing of schema tenantry, as
-- blockers.sql does not.
SELECT pg_catalog.pg_terminate_backend(a.pid) AS ended
FROM pg_catalog.pg_stat_activity a
JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
WHERE a.pid = $1::int4 AND a.pid = ANY (pg_catalog.pg_blocking_pids($2::int4))
  AND r.rolname::text = $3::text
  AND NOT r.rolsuper AND NOT r.rolreplication AND r.rolname NOT IN (current_user, session_user)
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
