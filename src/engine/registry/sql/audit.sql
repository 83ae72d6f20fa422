-- One line of the audit log.
INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes)
VALUES ($1, $2, $3, $4)
