-- How many large objects do these roles ($1) own in this database? pg_shdepend finds them by an index; the objects' own
-- catalog has none by owner, and one row for each of them. And what do they take? Only a superuser may read how long each
-- is, so each counts for what one takes in the mean.
SELECT r.rolname::text AS role, count(*) AS large_objects,
       (count(*) * pg_relation_size('pg_largeobject'::regclass)
        / greatest((SELECT count(*) FROM pg_largeobject_metadata), 1))::int8 AS bytes
FROM pg_roles r
JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
WHERE r.rolname = ANY ($1::text[]::name[])
  AND d.classid = 'pg_largeobject'::regclass AND d.deptype = 'o'
  AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY r.rolname
ORDER BY r.rolname
