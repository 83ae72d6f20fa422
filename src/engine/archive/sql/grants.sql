-- Which privileges were granted on this schema ($1) and on what is in it, as PostgreSQL prints them?
-- In this encoding ($2), as bytes: a name need not be one that our session may be sent. Nor one that convert_to takes: roles
-- are the cluster's, and have theirs in the encoding of whichever database they were made in.
SELECT convert_to(object, $2::text::name) AS object,
    ARRAY(SELECT CASE WHEN getdatabaseencoding() = 'UTF8' THEN textsend(a.item) ELSE convert_to(a.item, $2::text::name) END
          FROM unnest(acl) WITH ORDINALITY a(item, n) ORDER BY a.n) AS acl
FROM (
    SELECT pg_describe_object('pg_namespace'::regclass, n.oid, 0) AS object, n.nspacl::text[] AS acl
    FROM pg_namespace n WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT pg_describe_object('pg_class'::regclass, c.oid, 0), c.relacl::text[]
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT pg_describe_object('pg_class'::regclass, c.oid, a.attnum), a.attacl::text[]
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = $1::text::name AND NOT a.attisdropped
    UNION ALL
    SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0), p.proacl::text[]
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1::text::name
    UNION ALL
    SELECT pg_describe_object('pg_type'::regclass, t.oid, 0), t.typacl::text[]
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = $1::text::name
) AS objects
WHERE acl IS NOT NULL AND object IS NOT NULL
ORDER BY object COLLATE "C", acl COLLATE "C"
