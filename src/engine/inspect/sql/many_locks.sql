-- Which roles hold so many locks ($1) or more, of all that the server has room for? Summed up here: there may be very many.
-- A prepared transaction has no session: its locks are its owner's, and it is known by the lock on its own number.
WITH locks AS MATERIALIZED (SELECT locktype, pid, virtualtransaction, transactionid FROM pg_locks WHERE granted),
prepared AS (
  SELECT l.virtualtransaction, p.owner
  FROM pg_prepared_xacts p
  JOIN locks l ON l.pid IS NULL AND l.locktype = 'transactionid' AND l.transactionid = p.transaction
)
SELECT coalesce(a.usename, p.owner)::text AS role, count(*) AS locks,
  count(*) FILTER (WHERE l.locktype = 'advisory') AS advisory, count(DISTINCT l.pid) AS sessions
FROM locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
LEFT JOIN prepared p ON l.pid IS NULL AND p.virtualtransaction = l.virtualtransaction
WHERE coalesce(a.usename, p.owner) IS NOT NULL
GROUP BY 1
HAVING count(*) >= $1
ORDER BY locks DESC, role
