-- What PostgreSQL keeps of these roles' ($1) passwords.
SELECT rolname::text AS name, rolpassword AS verifier
FROM pg_authid
WHERE rolname = ANY ($1::text[]::name[])
ORDER BY rolname
