-- Lines of the audit log, the newest first, $4 at most, and those before the line of this number ($1): of one tenant ($2) or of
-- all (NULL), since a time ($3) or since ever (NULL).
SELECT id, at, session_username::pg_catalog.text AS admin, pg_catalog.host(client_address) AS client, tenantry_version, tenant, verb,
       changes::pg_catalog.text AS changes
FROM tenantry.audit_log
WHERE id < $1 AND ($2::pg_catalog.text IS NULL OR tenant = $2) AND ($3::pg_catalog.timestamptz IS NULL OR at >= $3)
ORDER BY id DESC
LIMIT $4
