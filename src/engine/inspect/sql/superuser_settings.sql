-- Which of these parameters ($1, lower case) may only a superuser set for a role, or who was granted it? Those that say so,
-- and customized ones that no module has defined (manual, "Customized Options").
SELECT wanted.name
FROM unnest($1::text[]) AS wanted (name)
LEFT JOIN pg_settings s ON lower(s.name) = wanted.name
WHERE CASE WHEN s.name IS NULL THEN wanted.name LIKE '%.%' ELSE s.context IN ('superuser', 'superuser-backend') END
ORDER BY wanted.name
