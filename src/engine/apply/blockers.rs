//! Who keeps a session from a lock that it waits for, in words for people; and the end of those that are tenants'.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres::Client;

use crate::core::model::{TenantKey, ident};
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError, Gid};

/// A session, or a prepared transaction, in the way of a backend of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Blocker {
    /// Ours, which waits.
    pub waits: i32,
    pub waited: Duration,
    /// For its transaction to end (an old snapshot, a row), rather than for a lock that others then queue behind us for.
    pub for_its_end: bool,
    /// 0: a prepared transaction.
    pub pid: i32,
    pub role: Option<String>,
    /// Whose role it is, when the registry knows it as a username.
    pub tenant: Option<String>,
    /// What a superuser types so that we may end it; `None`: that was not refused.
    pub refused: Option<String>,
    application: String,
    /// `None`: we may not know.
    state: Option<String>,
    since: Option<Duration>,
    modes: Option<String>,
    object: Option<String>,
    prepared: Option<Prepared>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Prepared {
    gid: Gid,
    owner: String,
    database: String,
}

/// Whoever watches must not be held up in its turn.
const LIMITS: &str = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '10s'";

/// By username, whose it is.
pub type Usernames<'a> = BTreeMap<String, &'a TenantKey>;

/// `usernames`: those of tenants, as the look read them.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn of(
    client: &mut Client,
    usernames: &Usernames<'_>,
    backends: &[i32],
) -> Result<Vec<Blocker>, DatabaseError> {
    let milliseconds = |n: i64| Duration::from_millis(n.try_into().unwrap_or_default());
    // To list all locks there are is more work than to ask for whom anybody waits.
    let waiting = "SELECT w.pid FROM pg_catalog.unnest($1::int4[]) AS w (pid) WHERE pg_catalog.cardinality(pg_catalog.pg_blocking_pids(w.pid)) > 0";
    let mut transaction = client.transaction()?;
    transaction.batch_execute(LIMITS)?;
    let waiting: Vec<i32> = transaction.ask(waiting, &[&backends])?.iter().map(|row| row.get(0)).collect();
    if waiting.is_empty() {
        transaction.rollback()?;
        return Ok(Vec::new());
    }
    let rows = transaction.ask(include_str!("blockers.sql"), &[&waiting])?;
    transaction.rollback()?;
    let whose = |role: &String| usernames.get(role.as_str()).map(ToString::to_string);
    let blockers = rows.iter().map(|row| Blocker {
        waits: row.get("waits"),
        waited: milliseconds(row.get("waited")),
        for_its_end: row.get("for_its_end"),
        pid: row.get("blocker"),
        role: row.get("role"),
        tenant: row.get::<_, Option<String>>("role").as_ref().and_then(whose),
        refused: None,
        application: row.get::<_, Option<String>>("application").unwrap_or_default(),
        state: row.get("state"),
        since: row.get::<_, Option<i64>>("since").map(milliseconds),
        modes: row.get("modes"),
        object: row.get("object"),
        prepared: row.get::<_, Option<Vec<u8>>>("gid").map(|gid| Prepared {
            gid: Gid(gid),
            owner: row.get::<_, Option<String>>("gid_owner").unwrap_or_default(),
            database: row.get::<_, Option<String>>("gid_database").unwrap_or_default(),
        }),
    });
    Ok(blockers.collect())
}

impl Blocker {
    /// `PID 4711, role globex_user (tenant globex), application "psql", idle in transaction for 40 s, holding AccessShareLock on
    /// tenant_acme.seen`.
    pub fn words(&self) -> String {
        let mut words = match (&self.prepared, &self.role) {
            (Some(Prepared { gid, owner, .. }), _) => format!("the prepared transaction {gid} of role {owner}"),
            (None, _) if self.pid == 0 => "a prepared transaction".to_owned(),
            (None, Some(role)) => format!("PID {}, role {role}", self.pid),
            (None, None) => format!("PID {}", self.pid),
        };
        if let Some(tenant) = &self.tenant {
            words.push_str(&format!(" (tenant {tenant})"));
        }
        if !self.application.is_empty() {
            words.push_str(&format!(", application {:?}", self.application));
        }
        if let Some(state) = &self.state {
            words.push_str(&format!(", {state}"));
            if let Some(since) = self.since {
                let what = if state == "active" { " in a transaction" } else { "" };
                words.push_str(&format!("{what} for {} s", since.as_secs()));
            }
        }
        match (&self.modes, &self.object) {
            _ if self.for_its_end => words.push_str(", whose transaction must end first"),
            (Some(modes), Some(object)) => words.push_str(&format!(", holding {modes} on {object}")),
            // Ahead in the queue, or gone meanwhile.
            (None, Some(object)) => words.push_str(&format!(", which waits before us for {object}")),
            _ => {}
        }
        words
    }

    /// What to type. `ending`: the command that has such sessions ended, unless this one does.
    fn remedy(&self, ending: Option<&str>) -> String {
        match &self.prepared {
            Some(Prepared { gid, owner, database }) => format!(
                "end the prepared transaction, as {owner} or a superuser, in database {database}: {}",
                gid.rollback()
            ),
            None if self.pid == 0 => "find it in pg_prepared_xacts, and ROLLBACK PREPARED 'gid'".to_owned(),
            None => {
                let end = format!("SELECT pg_terminate_backend({})", self.pid);
                match (&self.refused, ending.filter(|_| self.tenant.is_some())) {
                    (Some(grant), _) => format!("as a superuser: {grant}; or end that session: {end}"),
                    (None, Some(ending)) => {
                        format!("end that session: {end}; or have the sessions of tenants that block ended: {ending}")
                    }
                    (None, None) => format!("wait for it, or end it: {end}"),
                }
            }
        }
    }
}

/// How many are named.
const NAMED: usize = 3;

/// All of those that are in one backend's way.
pub(super) fn words(blockers: &[Blocker]) -> String {
    let mut words: Vec<_> = blockers.iter().take(NAMED).map(Blocker::words).collect();
    if blockers.len() > NAMED {
        words.push(format!("and {} more", blockers.len() - NAMED));
    }
    words.join("; ")
}

/// The error of a wait that was too long, with who was waited for. `blind`: why that could not be asked. `ending`: as in
/// [`Blocker::remedy`].
///
/// Whether there was anything to add.
pub(super) fn blame(
    error: &mut TenantError,
    blockers: &[Blocker],
    blind: Option<String>,
    ending: Option<&str>,
) -> bool {
    if error.sqlstate.as_deref() != Some("55P03") {
        return false;
    }
    let Some(first) = blockers.first() else {
        if let Some(why) = &blind {
            error.message = format!("{}; could not find out who holds it: {why}", error.message);
        }
        return blind.is_some();
    };
    error.message = format!("{}; blocked by {}", error.message, words(blockers));
    error.hint = Some(first.remedy(ending));
    true
}

/// Whether it was a tenant's session, in the way still, and is ended now.
///
/// # Errors
/// What PostgreSQL answered; 42501 when its role's rights are not ours to take.
pub(super) fn end(client: &mut Client, blocker: &Blocker, version: i32) -> Result<bool, DatabaseError> {
    match terminate(client, blocker, "") {
        Err(error) if error.sqlstate() == Some("42501") => {
            let with = if version >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
            let role = blocker.role.as_deref().unwrap_or_default();
            let take = format!("; GRANT {} TO CURRENT_USER{with}", ident(role));
            // The refusal to tell is the first: it is about the session.
            terminate(client, blocker, &take).map_err(|_| error)
        }
        other => other,
    }
}

/// Rolled back: what it takes is only for this.
fn terminate(client: &mut Client, blocker: &Blocker, take: &str) -> Result<bool, DatabaseError> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!("{LIMITS}{take}"))?;
    let row = transaction.ask_opt(include_str!("end_blocker.sql"), &[&blocker.pid, &blocker.waits, &blocker.role])?;
    transaction.rollback()?;
    Ok(row.is_some_and(|row| row.get("ended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker() -> Blocker {
        Blocker {
            waits: 1,
            pid: 4711,
            role: Some("globex_user".into()),
            tenant: Some("globex".into()),
            application: "ps\x1bql".into(),
            state: Some("idle in transaction".into()),
            since: Some(Duration::from_secs(40)),
            modes: Some("AccessShareLock".into()),
            object: Some("tenant_acme.seen".into()),
            ..Blocker::default()
        }
    }

    #[test]
    fn whoever_blocks_is_told_with_what_is_known() {
        assert_eq!(
            blocker().words(),
            "PID 4711, role globex_user (tenant globex), application \"ps\\u{1b}ql\", idle in transaction for 40 s, \
             holding AccessShareLock on tenant_acme.seen"
        );
        let unseen = Blocker { state: None, since: None, tenant: None, application: String::new(), ..blocker() };
        assert_eq!(unseen.words(), "PID 4711, role globex_user, holding AccessShareLock on tenant_acme.seen");
        let snapshot = Blocker { for_its_end: true, ..unseen };
        assert_eq!(snapshot.words(), "PID 4711, role globex_user, whose transaction must end first");
    }

    #[test]
    fn only_a_wait_that_was_too_long_is_blamed_on_somebody() {
        let mut error = TenantError::new("m");
        blame(&mut error, &[blocker()], None, None);
        assert_eq!(error.message, "m");
        error.sqlstate = Some("55P03".into());
        let ending = Some("tenantry apply --end-blockers --allow-removals 2");
        blame(&mut error, &[blocker(), blocker(), blocker(), blocker()], None, ending);
        assert!(error.message.starts_with("m; blocked by PID 4711, ") && error.message.ends_with("; and 1 more"));
        assert!(error.hint.unwrap().ends_with(": tenantry apply --end-blockers --allow-removals 2"));
        assert_eq!(blocker().remedy(None), "wait for it, or end it: SELECT pg_terminate_backend(4711)");
        let refused = Blocker { refused: Some("GRANT a TO b".into()), ..blocker() };
        assert!(refused.remedy(ending).starts_with("as a superuser: GRANT a TO b; or end that session: "));
        let prepared = Prepared { gid: Gid(b"it's".to_vec()), owner: "o".into(), database: "d".into() };
        let prepared = Blocker { pid: 0, prepared: Some(prepared), tenant: None, ..blocker() };
        assert!(prepared.words().starts_with("the prepared transaction \"it's\" of role o"));
        assert!(prepared.remedy(ending).ends_with("ROLLBACK PREPARED 'it''s'"));
    }
}
