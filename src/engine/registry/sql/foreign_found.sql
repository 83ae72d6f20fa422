-- Follows foreign.sql: all of it, and is it ours ($3) to take away?
SELECT what, remedy, runs, pg_has_role($3::text::name, owner, 'USAGE') AS ours
FROM found
ORDER BY place, what
