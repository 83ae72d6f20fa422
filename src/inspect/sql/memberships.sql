-- Who is a member of these roles ($1), and what are they members of?
-- PostgreSQL 16 added set_option and inherit_option; a creator's automatic membership has neither and is no member
-- in our sense. Read through to_jsonb, so that one text serves every version.
SELECT granted.rolname::text AS role, member.rolname::text AS member, member.rolname = current_user AS is_admin,
       -- A creator's automatic membership, granted by the bootstrap superuser (OID 10), is none in our sense.
       coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) OR coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true)
       OR m.grantor <> 10 AS counts,
       coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) AND coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) AS usable
FROM pg_auth_members m
JOIN pg_roles granted ON granted.oid = m.roleid
JOIN pg_roles member ON member.oid = m.member
WHERE granted.rolname = ANY ($1::text[]::name[]) OR member.rolname = ANY ($1::text[]::name[])
ORDER BY granted.rolname, member.rolname, usable
