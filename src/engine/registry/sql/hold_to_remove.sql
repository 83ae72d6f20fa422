-- Holds the row of a tenant that goes: what the registry says of it now is what the plan saw.
DO $$DECLARE s text; p bool; BEGIN
SELECT t.state, t.protected INTO s, p FROM tenantry.tenants t WHERE t.tenant = {tenant} FOR UPDATE;
IF s IS DISTINCT FROM {state} OR p AND s = 'active' THEN RAISE EXCEPTION USING ERRCODE = '55000',
MESSAGE = pg_catalog.format('the registry disagrees with the plan: the tenant is %s%s', coalesce(s, 'not there'),
CASE WHEN p THEN ', and protected' END), HINT = 'it was changed in the meantime; plan again'; END IF; END$$
