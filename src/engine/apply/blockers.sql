-- Who keeps these backends ($1) from the locks that they wait for? A row for each of them; of a prepared transaction the
-- number is 0 (manual, pg_blocking_pids). What a session of another role does, and since when, only that role's members and
-- pg_read_all_stats are told. Nothing of schema tenantry is read: what waits may be about to lock it, and whoever reads it then queues
-- behind that.
WITH locks AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks),
waits AS (SELECT * FROM locks WHERE NOT granted AND pid = ANY ($1::int4[]))
SELECT w.pid AS waits,
  coalesce((pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - w.waitstart) * 1000)::int8, 0) AS waited,
  w.locktype IN ('virtualxid', 'transactionid') AS for_its_end,
  CASE WHEN w.relation IS NOT NULL
    THEN (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = w.relation)
    WHEN w.locktype = 'object' THEN pg_catalog.pg_describe_object(w.classid, w.objid, w.objsubid::int4)
    ELSE w.locktype END AS object,
  h.modes,
  b.pid AS blocker, a.usename::text AS role, a.application_name AS application, a.state,
  (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
    - CASE WHEN a.state LIKE 'idle%' THEN a.state_change ELSE a.xact_start END) * 1000)::int8 AS since,
  pg_catalog.replace(p.gid, '\', '\\')::bytea AS gid, p.owner::text AS gid_owner, p.database::text AS gid_database
FROM waits w
CROSS JOIN LATERAL (SELECT DISTINCT pid FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)) b
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid
LEFT JOIN LATERAL (
  SELECT pg_catalog.string_agg(DISTINCT h.mode, ', ') AS modes, min(h.virtualtransaction) AS virtualtransaction
  FROM locks h
  WHERE h.granted AND h.pid IS NOT DISTINCT FROM nullif(b.pid, 0)
    AND (h.locktype, h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
      IS NOT DISTINCT FROM
        (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
) h ON true
-- Each transaction holds a lock on its own number.
LEFT JOIN locks x ON b.pid = 0 AND x.pid IS NULL AND x.granted AND x.locktype = 'transactionid'
  AND x.virtualtransaction = h.virtualtransaction
LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid
ORDER BY w.pid, b.pid
