-- How many large objects do these roles ($1) own in this database? pg_shdepend finds them by an index; the objects' own
-- catalog has none by owner, and one row for each of them.
SELECT r.rolname::text AS role, count(*) AS large_objects
FROM pg_roles r
JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
WHERE r.rolname = ANY ($1::text[]::name[])
  AND d.classid = 'pg_largeobject'::regclass AND d.deptype = 'o'
  AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY r.rolname
ORDER BY r.rolname
