-- Has the transaction of this number ($2) left a line of this tenant's ($1)?
SELECT
FROM tenantry.audit_log
WHERE tenant = $1 AND transaction_id = $2::text::xid8
LIMIT 1
