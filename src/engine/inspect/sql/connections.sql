-- How many sessions has each of these roles ($1) right now?
SELECT usename::text AS role, count(*) AS connections
FROM pg_stat_activity
WHERE usename = ANY ($1::text[]::name[])
GROUP BY usename
ORDER BY usename
