//! One apply per database: a session advisory lock, proved to be held.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryMessage};
use rand::RngExt;

use super::outcome::TenantError;
use crate::database::{Ask, Target};
use crate::error::{Doing, Error};
use crate::registry::LOCK_KEY as KEY;

/// A session outlives its client, which ended or was killed, until PostgreSQL has noticed: on a busy machine a moment.
const LETTING_GO: Duration = Duration::from_secs(1);

/// SQLSTATE, of no class of PostgreSQL's own: the session that took the lock holds it no more.
const LOST: &str = "TNLCK";

/// Held until its session ends, which PostgreSQL, an administrator or a line may bring about at any time: whoever works
/// under it on another session asks in each transaction, by [`Lock::check`].
#[derive(Debug)]
pub struct Lock {
    /// Backends' numbers are given again, so a second lock, whose key nobody knows before it is taken, says who it is: when
    /// a backend began is kept from whoever works as another role than it logged in as (`ALTER ROLE … SET role`). `None`:
    /// nobody is to be kept away.
    backend: Option<(i32, i64)>,
    lost: AtomicBool,
}

impl Lock {
    /// On the session of `client`, which leads to `target`.
    ///
    /// # Errors
    /// Who holds it, from where, since when; or that the session is not our own (a transaction pooler).
    pub fn take(client: &mut Client, target: &Target) -> Result<Self, Error> {
        let begun = Instant::now();
        // Without parameters: a statement prepared behind a pooler may be carried out where it was not prepared.
        while !is_true(client, &format!("pg_catalog.pg_try_advisory_lock({KEY})")).doing("taking the lock")? {
            if begun.elapsed() > LETTING_GO {
                return Err(Self::held_by_another(client));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // Behind a transaction pooler the next statement may run in another session, and the lock means nothing. As long
        // as nobody else is there it runs in the same one, but then so does a statement of another connection.
        if !Self::is_held_here(client)? || Self::is_held_here(&mut target.connect_admin()?)? {
            return Err(Error::refused(
                "the lock just taken is not this connection's own: the connection goes through a transaction pooler",
                "connect to PostgreSQL itself, or to a pool in session mode",
            ));
        }
        let backend = Self::this_session(client).doing("making sure of the lock")?;
        Ok(Self { backend: Some(backend), lost: AtomicBool::new(false) })
    }

    /// For what is never committed.
    pub(crate) fn of_a_rehearsal() -> Self {
        Self { backend: None, lost: AtomicBool::new(false) }
    }

    fn this_session(client: &mut Client) -> Result<(i32, i64), postgres::Error> {
        let token = rand::rng().random::<i64>();
        let sql = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_advisory_lock($1)::pg_catalog.text";
        Ok((client.ask_one(sql, &[&token])?.get(0), token))
    }

    /// SQL for any other session, that fails when the lock is lost: somebody else may have taken it since, and changed what
    /// the plan was made of.
    pub(super) fn check(&self) -> Option<String> {
        let (pid, token) = self.backend?;
        Some(format!(
            "DO $$BEGIN IF (SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks l \
             WHERE l.pid = {pid} AND l.locktype = 'advisory' AND l.granted \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 IN ({KEY}, {token}) AND l.objsubid = 1) < 2 THEN \
             RAISE EXCEPTION USING ERRCODE = '{LOST}', \
             MESSAGE = 'the lock of apply is lost: the session that held it (backend {pid}) has ended, and another apply may be at work', \
             HINT = 'the server''s log says why it ended; apply again, which plans anew'; END IF; END$$"
        ))
    }

    /// What failed because of it is remembered: nothing more is begun.
    pub(super) fn heed(&self, error: &TenantError) {
        if error.sqlstate.as_deref() == Some(LOST) {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Held by the session in which this very statement runs.
    fn is_held_here(client: &mut Client) -> Result<bool, Error> {
        let held = format!(
            "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() \
             AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND (classid::int8 << 32) | objid::int8 = {KEY} AND objsubid = 1 AND granted)"
        );
        is_true(client, &held).doing("making sure of the lock")
    }

    fn held_by_another(client: &mut Client) -> Error {
        let holder = client.ask_opt(
            "SELECT a.usename::text, CASE WHEN a.backend_start IS NULL THEN 'an address kept from us' ELSE coalesce(a.client_addr::text, 'a local socket') END, \
             a.application_name, \
             pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), a.pid, a.usename = session_user \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::int8 << 32) | l.objid::int8 = $1 \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 1",
            &[&KEY],
        );
        let Ok(Some(row)) = holder else {
            return Error::refused(
                "another apply is at work on this database: a session that has just ended",
                "wait until it is done, and run this again",
            );
        };
        let pid: i32 = row.get(4);
        let user = row.get::<_, Option<String>>(0).unwrap_or_default();
        let since = row.get::<_, Option<&str>>(3).map(|since| format!(" since {since}")).unwrap_or_default();
        let who = format!(
            "{user} from {} ({}, backend {pid}){since}",
            row.get::<_, &str>(1),
            row.get::<_, Option<&str>>(2).unwrap_or_default(),
        );
        if row.get::<_, Option<bool>>(5) == Some(true) {
            return Error::refused(
                format!("another apply is at work on this database: {who}"),
                "wait until it is done, and run this again",
            );
        }
        // Advisory locks are anybody's to take: a tenant can, to keep its fleet from being changed.
        Error::refused(
            format!("the lock of apply is held by another role than ours: {who}"),
            format!(
                "if {user} runs no tenantry, end that session: SELECT pg_terminate_backend({pid});   and run this again"
            ),
        )
    }
}

fn is_true(client: &mut Client, condition: &str) -> Result<bool, postgres::Error> {
    let answer = client.simple_query(&format!("SELECT {condition}"))?;
    Ok(answer.iter().any(|part| matches!(part, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
}
