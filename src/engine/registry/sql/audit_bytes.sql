-- One line of the audit log, its changes as the bytes of a text ($4), which this database's encoding may not have; $5 is the same
-- in ASCII.
INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes)
SELECT $1, $2, $3, CASE WHEN pg_catalog.getdatabaseencoding() IN ('UTF8', 'SQL_ASCII')
                        THEN pg_catalog.convert_from($4, pg_catalog.getdatabaseencoding())::pg_catalog.jsonb ELSE $5 END
