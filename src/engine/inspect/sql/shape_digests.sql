-- Follows shape.sql: one digest for each schema, leaving out the items with these titles ($6); and what the tenant made.
SELECT nspname::text AS schema,
       sha256(textsend(coalesce(
           string_agg((kind, object, part_kind, part, position, definition)::text, E'\n'
                      ORDER BY kind COLLATE "C", object COLLATE "C", part_kind COLLATE "C", position, part COLLATE "C")
               FILTER (WHERE NOT own AND NOT title = ANY ($6::text[])), ''))) AS digest,
       coalesce(array_agg(title ORDER BY title COLLATE "C") FILTER (WHERE own AND part_kind = '' AND title IS NOT NULL), '{}') AS own
FROM titled
GROUP BY nspname
ORDER BY nspname
