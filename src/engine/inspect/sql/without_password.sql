-- Which of these roles ($1) have no password? Only who may read pg_authid knows; to others every role has one.
SELECT rolname::text AS name
FROM pg_authid
WHERE rolname = ANY ($1::text[]::name[]) AND rolpassword IS NULL
ORDER BY rolname
