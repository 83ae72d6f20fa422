-- Which of the shared schemas ($1) are there, and who may use them?
SELECT n.nspname::text AS name, r.rolname::text AS owner, coalesce(n.nspacl, acldefault('n', n.nspowner))::text[] AS acl,
       has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION') AS may_grant, has_schema_privilege(n.oid, 'CREATE') AS may_create,
       pg_has_role(n.nspowner, 'USAGE') AS ours
FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner
WHERE n.nspname = ANY ($1::text[]::name[])
ORDER BY n.nspname
