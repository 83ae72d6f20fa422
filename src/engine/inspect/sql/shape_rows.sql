-- Follows shape.sql: the items themselves, or those with these titles ($6).
-- What goes while we look may have lost its name.
SELECT nspname::text AS schema, kind, coalesce(object, '') AS object, part_kind, coalesce(part, '') AS part, position, is_partition, coalesce(definition, '') AS definition
FROM titled
WHERE NOT own AND ($6::text[] IS NULL OR title = ANY ($6::text[]))
ORDER BY nspname, kind COLLATE "C", object COLLATE "C", part_kind COLLATE "C", position, part COLLATE "C"
