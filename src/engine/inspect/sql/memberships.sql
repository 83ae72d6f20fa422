-- Who is a member of these roles ($1), and what are they members of? We are $2. Of some ($3), which have many, only we are asked for.
-- PostgreSQL 16 added set_option and inherit_option, and a grantor that counts: there may be several rows for one pair, and
-- REVOKE takes away the one of its own grantor, which for a superuser is the bootstrap superuser (OID 10).
-- Read through to_jsonb, so that one text serves every version.
SELECT granted.rolname::text AS role, member.rolname::text AS member, member.oid = me.oid AS is_admin, m.admin_option,
       o.inherits, o.inherits OR o.sets OR m.grantor <> 10 AS counts, o.inherits AND o.sets AS usable,
       CASE WHEN to_jsonb(m) ? 'set_option' AND m.grantor <> me.oid AND NOT (me.rolsuper AND m.grantor = 10) THEN grantor.rolname::text END AS grantor
FROM pg_auth_members m
JOIN pg_roles granted ON granted.oid = m.roleid
JOIN pg_roles member ON member.oid = m.member
LEFT JOIN pg_roles grantor ON grantor.oid = m.grantor
JOIN pg_roles me ON me.rolname = $2::text::name
-- A creator's automatic membership, granted by the bootstrap superuser with neither option, is none in our sense.
CROSS JOIN LATERAL (SELECT coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) AS inherits,
                           coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) AS sets) o
WHERE granted.rolname = ANY ($1::text[]::name[]) AND (granted.rolname <> ALL ($3::text[]::name[]) OR member.oid = me.oid)
   OR member.rolname = ANY ($1::text[]::name[])
ORDER BY granted.rolname, member.rolname, grantor.rolname, usable
