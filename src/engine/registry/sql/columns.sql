-- Which of these columns ($2) of tenantry's own tables ($1) are not there, or have another type than this ($3)? Of the tables that
-- are there; `n` says which of them it is, and `found` the type that it has.
SELECT w.n::int4 - 1 AS n, format_type(a.atttypid, a.atttypmod) AS found
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS w (relation, name, type, n)
JOIN pg_namespace s ON s.nspname = 'tenantry'
JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = w.relation::name
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name::name AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.atttypid IS DISTINCT FROM to_regtype(w.type)
ORDER BY w.n
