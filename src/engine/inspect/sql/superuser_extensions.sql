-- Which of these extensions ($1) may only a superuser make?
SELECT e.name::text AS name
FROM pg_available_extensions e
JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
WHERE v.superuser AND NOT v.trusted AND e.name = ANY ($1::text[]::name[])
ORDER BY e.name
