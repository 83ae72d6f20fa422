-- Follows owned.sql: what a fresh tenant's owner has once its migrations ran is what they make.
SELECT DISTINCT kind, name
FROM named
ORDER BY kind, name
