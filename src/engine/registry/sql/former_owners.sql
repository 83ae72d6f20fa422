-- Which roles are to be dropped once nothing is theirs?
SELECT role
FROM tenantry.former_owners
ORDER BY role
