-- Which extensions are there, in which schema, whose, and can each be moved to another? May PUBLIC use that schema?
SELECT e.extname::text AS name, n.nspname::text AS schema, r.rolname::text AS owner, e.extrelocatable AS relocatable,
       EXISTS (SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x WHERE x.grantee = 0 AND x.privilege_type = 'USAGE') AS open
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace JOIN pg_roles r ON r.oid = e.extowner
ORDER BY e.extname
