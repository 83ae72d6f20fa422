-- ALTER ROLE ... SET of these roles ($1): for every database, and for this one. Each may set its own, as long as it likes, from
-- any database of the cluster, in the encoding of that one: as bytes, then, of which no more than $2 are read; what is longer
-- is told by its beginning, length and digest. Not cut as text: what is not valid in this database's encoding would be refused.
SELECT r.rolname::text AS role, s.setdatabase <> 0 AS in_database,
       CASE WHEN octet_length(u.setting) <= $2 THEN textsend(u.setting) ELSE substr(textsend(u.setting), 1, 200) END AS setting,
       CASE WHEN octet_length(u.setting) > $2 THEN octet_length(u.setting) END AS cut_from,
       CASE WHEN octet_length(u.setting) > $2 THEN encode(sha256(textsend(u.setting)), 'hex') END AS digest
FROM pg_db_role_setting s
JOIN pg_roles r ON r.oid = s.setrole
CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS u (setting, n)
WHERE r.rolname = ANY ($1::text[]::name[])
  AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY r.rolname, in_database, u.n
