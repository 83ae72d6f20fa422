//! One apply per database: a row of the registry, held by a session for as long as it lasts.
//!
//! An advisory lock would not do: any role that may connect can take one, and keep the fleet from being changed. The row is
//! only for whoever may write to the registry. Before there is a registry there is nothing but an advisory lock; and
//! versions of tenantry that knew no other are kept away by taking it too.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use postgres::{Client, SimpleQueryMessage};
use rand::RngExt;

use super::groundwork;
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError, Target, refuse_a_standby};
use crate::engine::error::{Context, Error};
use crate::engine::registry::{self, Holder, LOCK_KEY as KEY, Taken};
use crate::engine::retry::retry_for;

/// A session outlives its client, which ended or was killed, until PostgreSQL has noticed: on a busy machine a moment.
const LETTING_GO: Duration = Duration::from_secs(1);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the transactions of a run that lost its lock are waited for (`lock_timeout`).
const LAST_TRANSACTIONS: &str = "60s";

/// Held until its session ends, which PostgreSQL, an administrator or a line may bring about at any time: whoever works
/// under it on another session asks in each transaction, by [`Lock::check`].
#[derive(Debug)]
pub struct Lock {
    /// Backends' numbers are given again, so an advisory lock, whose key nobody knows before it is taken, says who it is: when
    /// a backend began is kept from whoever works as another role than it logged in as (`ALTER ROLE ... SET role`). `None`:
    /// nobody is to be kept away.
    backend: Option<(i32, i64)>,
    /// Its number among the lock's holders. Not there until there is a registry.
    fence: OnceLock<i64>,
    lost: AtomicBool,
}

impl Lock {
    /// On the session of `client`, which is connected to `target`. `wait`: how long to wait for another apply.
    ///
    /// # Errors
    /// Who holds it, from where, since when; or that the session is not our own (a transaction pooler).
    pub fn take(client: &mut Client, target: &Target, wait: Duration) -> Result<Self, Error> {
        refuse_a_standby(client, target)?;
        let (backend, token) = Self::this_session(client).map_err(|error| refused(client, error))?;
        let attempt = || match Self::attempt(client, token) {
            Ok(Attempt::Ours(number)) => Ok(number),
            Ok(Attempt::Theirs(holder)) => Err(NotTaken::HeldBy(holder)),
            Err(error) => Err(NotTaken::Failed(error)),
        };
        let is_held = |why: &NotTaken| matches!(why, NotTaken::HeldBy(_));
        let number = retry_for(wait.max(LETTING_GO), [PAUSE, PAUSE], attempt, is_held).map_err(|why| match why {
            NotTaken::HeldBy(holder) => held_by(holder),
            NotTaken::Failed(error) => error,
        })?;
        let fence = number.map_or_else(OnceLock::new, OnceLock::from);
        let lock = Self { backend: Some((backend, token)), fence, lost: AtomicBool::new(false) };
        // Behind a transaction pooler the next statement may run in another session, and the lock means nothing. As long
        // as nobody else is there it runs in the same one, but then so does a statement of another connection.
        if !lock.is_held_here(client)? || lock.is_held_here(&mut target.connect_admin()?)? {
            return Err(Error::refused(
                "the lock that was just taken does not belong to this session: the connection goes through a pooler in transaction mode",
                "connect to PostgreSQL directly, or through a pool in session mode",
            ));
        }
        Ok(lock)
    }

    fn attempt(client: &mut Client, token: i64) -> Result<Attempt, Error> {
        let doing = "taking the lock";
        let advisory = is_true(client, &format!("pg_catalog.pg_try_advisory_lock({KEY})"));
        let advisory = advisory.map_err(|error| refused(client, error))?;
        if registry::has_lock(client)? {
            if !advisory && let Some(holder) = advisory_holder(client, true)? {
                return Ok(Attempt::Theirs(Some(holder)));
            }
            // Of what is asked there a part is a DO block.
            groundwork::has_plpgsql(client, false)?;
            return match registry::take_lock(client, token, LAST_TRANSACTIONS) {
                Ok(Taken::Ours(fence)) => Ok(Attempt::Ours(Some(fence))),
                Ok(Taken::Theirs(holder)) => {
                    let unlocked = is_true(client, &format!("pg_catalog.pg_advisory_unlock({KEY})"));
                    unlocked.map_err(|error| refused(client, error))?;
                    Ok(Attempt::Theirs(Some(holder)))
                }
                Err(error) if error.code().is_some_and(|code| code.code() == "42501") => Err(only_a_reader(client)?),
                // A column is gone, or has another type: without the lock nothing more is looked at.
                Err(error) if error.code().is_some_and(|code| ["42703", "42804", "42883"].contains(&code.code())) => {
                    let error = DatabaseError::from(error);
                    Err(Error::refused(
                        format!("tenantry.apply_lock is not as tenantry made it: {error}; nothing was changed"),
                        "tenantry plan names the columns that are missing or have another type, and the way back (docs/recovery.md)",
                    ))
                }
                // Whoever held it last is still in a transaction.
                Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => Ok(Attempt::Theirs(None)),
                Err(error) => Err(error).doing(doing),
            };
        }
        Ok(if advisory { Attempt::Ours(None) } else { Attempt::Theirs(advisory_holder(client, false)?) })
    }

    /// For what is never committed.
    pub(crate) fn none() -> Self {
        Self { backend: None, fence: OnceLock::new(), lost: AtomicBool::new(false) }
    }

    /// Once the registry is made, or is of this version's form: making it took the lock for the session that did.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub(super) fn settle(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "checking the lock";
        let Some((_, token)) = self.backend.filter(|_| self.fence.get().is_none()) else { return Ok(()) };
        // Until here it is held by the advisory lock whose key everybody knows.
        if registry::has_lock(client)?
            && let Taken::Ours(fence) = registry::take_lock(client, token, LAST_TRANSACTIONS).doing(doing)?
        {
            let _ = self.fence.set(fence);
        }
        Ok(())
    }

    /// Without parameters: a statement prepared behind a pooler may be carried out where it was not prepared.
    fn this_session(client: &mut Client) -> Result<(i32, i64), postgres::Error> {
        let token = rand::rng().random::<i64>();
        client.batch_execute(&format!("SELECT pg_catalog.pg_advisory_lock({token})"))?;
        let answers = client.simple_query("SELECT pg_catalog.pg_backend_pid()")?;
        let number = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0).and_then(|number| number.parse().ok()),
            _ => None,
        });
        Ok((number.unwrap_or_default(), token))
    }

    /// SQL for any other session, that fails when the lock is lost: somebody else may have taken it since, and changed what
    /// the plan was made of. In a transaction it also keeps everybody else from taking it until that has ended.
    pub(super) fn check(&self) -> Option<String> {
        let (pid, token) = self.backend?;
        Some(registry::check_lock_held(pid, token, self.fence.get().copied()))
    }

    /// SQL for any other session, that fails when somebody else has taken the lock since. A session that only ended, as all do
    /// when a server crashes, keeps nobody from putting right what it left.
    pub(super) fn check_that_nobody_took_it(&self) -> Option<String> {
        self.fence.get().map(|fence| registry::check_lock_not_taken(*fence))
    }

    /// What failed because of it is remembered: nothing more is started.
    pub(super) fn note_if_lost(&self, error: &TenantError) {
        if error.sqlstate.as_deref() == Some(registry::LOCK_LOST) {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Held by the session in which this very statement runs.
    fn is_held_here(&self, client: &mut Client) -> Result<bool, Error> {
        let doing = "checking the lock";
        if let Some(fence) = self.fence.get() {
            return Ok(registry::lock_held_as(client).doing(doing)? == Some(*fence));
        }
        let held = format!(
            "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid() \
             AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND (classid::int8 << 32) | objid::int8 = {KEY} AND objsubid = 1 AND granted)"
        );
        is_true(client, &held).doing(doing)
    }
}

enum NotTaken {
    HeldBy(Option<Holder>),
    Failed(Error),
}

/// What taking the lock calls. docs/isolation.md has ways to keep tenants from these.
const FUNCTIONS: [&str; 3] = [
    "pg_catalog.pg_advisory_lock(bigint)",
    "pg_catalog.pg_try_advisory_lock(bigint)",
    "pg_catalog.pg_advisory_unlock(bigint)",
];

/// EXECUTE on these functions may have been revoked from PUBLIC: then all that is missing is named at once.
fn refused(client: &mut Client, error: postgres::Error) -> Error {
    let is_denied = error.code().is_some_and(|code| code.code() == "42501");
    match if is_denied { groundwork::may_call(client, &FUNCTIONS) } else { Ok(()) } {
        Err(refused @ Error::Refused { .. }) => refused,
        _ => Error::Database { doing: "taking the lock".into(), source: error.into() },
    }
}

enum Attempt {
    /// With the number of a holder, where there is a registry.
    Ours(Option<i64>),
    Theirs(Option<Holder>),
}

/// Who has the advisory lock. `administrators`: only of those who may write to the registry, or to the roles; others
/// take it for purposes of their own, or to be in the way.
fn advisory_holder(client: &mut Client, administrators: bool) -> Result<Option<Holder>, Error> {
    let holder = client.ask_opt(
        "SELECT a.pid, coalesce(a.usename::text, '') AS username, coalesce(a.client_addr::text, 'a local socket') AS client_address, \
         coalesce(a.application_name, '') AS application_name, \
         coalesce(pg_catalog.to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ'), '') AS since \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND (l.classid::int8 << 32) | l.objid::int8 = $1 \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
         AND (NOT $2 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = a.usesysid AND (r.rolsuper OR r.rolcreaterole \
         OR pg_catalog.pg_has_role(r.oid, (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'tenantry'), 'MEMBER')))) LIMIT 1",
        &[&KEY, &administrators],
    );
    let holder = holder.doing("looking up who holds the lock")?;
    Ok(holder.map(|row| Holder {
        backend: row.get("pid"),
        username: row.get("username"),
        client_address: row.get("client_address"),
        application_name: row.get("application_name"),
        since: row.get("since"),
    }))
}

/// Whoever may look, and not write.
fn only_a_reader(client: &mut Client) -> Result<Error, Error> {
    let row = client.ask_one(
        "SELECT session_user::text, pg_catalog.pg_get_userbyid(n.nspowner)::text FROM pg_catalog.pg_namespace n WHERE n.nspname = 'tenantry'",
        &[],
    );
    let row = row.doing("checking who owns tenantry's own tables")?;
    let (reader, keeper): (String, String) = (row.get(0), row.get(1));
    Ok(Error::refused(
        format!("{reader} may not write to tenantry's own tables: it may plan but not apply; nothing was changed"),
        format!("connect as {keeper}, which owns them"),
    ))
}

fn held_by(holder: Option<Holder>) -> Error {
    let hint = "wait until it has finished and run this again, or have this wait for it: --lock-timeout 5m";
    let Some(Holder { backend, username, client_address, application_name, since }) = holder else {
        return Error::refused(
            "another apply is already running on this database: a session that has just ended",
            hint,
        );
    };
    Error::refused(
        format!(
            "another apply is already running on this database: {username} from {client_address} ({application_name}, backend {backend}) since {since}"
        ),
        format!(
            "{hint}   If {username} is not running tenantry, end that session: SELECT pg_terminate_backend({backend});"
        ),
    )
}

fn is_true(client: &mut Client, condition: &str) -> Result<bool, postgres::Error> {
    let answer = client.simple_query(&format!("SELECT {condition}"))?;
    Ok(answer.iter().any(|part| matches!(part, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
}
