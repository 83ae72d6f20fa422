-- What are these schemas ($1, OIDs) called now?
SELECT oid, nspname::text AS name
FROM pg_namespace
WHERE oid = ANY ($1)
ORDER BY oid
