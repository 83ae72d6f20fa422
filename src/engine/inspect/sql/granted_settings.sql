-- Which of these parameters ($1) were we granted SET on? From PostgreSQL 15 on.
SELECT wanted.name
FROM unnest($1::text[]) AS wanted (name)
WHERE has_parameter_privilege(wanted.name, 'SET')
ORDER BY wanted.name
