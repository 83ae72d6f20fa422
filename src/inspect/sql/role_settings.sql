-- ALTER ROLE ... SET of these roles ($1): for every database, and for this one. Each may set its own, as many and as long
-- as it likes, from any database of the cluster, in the encoding of that one: as bytes, then, which are cut where they are
-- longer than $2, and no more than $3 of them, with the number of the others. Not cut as text: what is not valid in this
-- database's encoding would be refused.
WITH settings AS (
    SELECT r.rolname, s.setdatabase <> 0 AS in_database, u.setting, octet_length(u.setting) AS bytes, u.n, cardinality(s.setconfig) AS of
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole
    CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS u (setting, n)
    WHERE r.rolname = ANY ($1::text[]::name[])
      AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
)
SELECT rolname::text AS role, in_database,
       CASE WHEN bytes <= $2::int4 THEN textsend(setting) ELSE substr(textsend(setting), 1, 200) END AS setting,
       CASE WHEN bytes > $2 THEN bytes END AS cut_from, CASE WHEN bytes > $2 THEN encode(sha256(textsend(setting)), 'hex') END AS digest,
       CASE WHEN n = $3::int8 AND of > $3 THEN of - $3 ELSE 0 END AS beyond
FROM settings
WHERE n <= $3
ORDER BY rolname, in_database, n
