//! While tenants are worked on, whoever keeps one of our sessions from a lock is named; and, where that is wanted, ended.
//!
//! Any role may hold locks on what it has no rights to: a statement that is refused keeps, until its transaction ends, those that
//! it took before it was. So a tenant can hold up the migration or the removal of another.
//!
//! Watched from the session that holds the lock of apply, which has nothing to do meanwhile, so that it takes no connection; while
//! that one changes what tenants share, from one more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use postgres::Client;

use super::blockers::{self, Blocker};
use super::context::Apply;
use super::session::{MY_BACKEND, connect};
use super::underway::{Backend, LONGEST_WAIT, Met};
use crate::core::model::ident;
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError, Record};
use crate::engine::error::{Context, Error, error_chain};
use crate::engine::{archive, registry};

/// What has taken less time than that waits for nobody worth a question.
const SOON: Duration = Duration::from_secs(1);

/// For a lock_timeout so short that every moment counts.
const SOONEST: Duration = Duration::from_millis(20);

/// Who goes on blocking is named again.
const AGAIN: Duration = Duration::from_secs(60);

/// Does it, and watches meanwhile on this session, which has nothing else to do.
pub(super) fn meanwhile<T>(apply: &Apply<'_>, client: &mut Client, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (working, over) = mpsc::channel::<()>();
        scope.spawn(move || Watch::new(apply, client, true).until(&over));
        let done = work();
        drop(working);
        done
    })
}

/// The same where that session is at work itself: on one more, once it takes longer than a moment. Where none is to be had,
/// nobody watches.
pub(super) fn elsewhere<T>(apply: &Apply<'_>, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (working, over) = mpsc::channel::<()>();
        scope.spawn(move || {
            if over.recv_timeout(soon(apply)) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            match connect(apply) {
                Ok(mut client) => Watch::new(apply, &mut client, false).until(&over),
                Err(error) => apply.underway.sees_nobody(Some(error.message)),
            }
        });
        let done = work();
        drop(working);
        done
    })
}

/// The same of one tenant's work that is no plan's, on this session and in programs: who blocks it is in its error too.
///
/// # Errors
/// What the work answered.
pub(crate) fn alone<T>(
    apply: &Apply<'_>,
    (who, doing): (&str, &str),
    client: &mut Client,
    work: impl FnOnce(&mut Client) -> Result<T, Error>,
) -> Result<T, Error> {
    let pid = client.ask_one(MY_BACKEND, &[]).doing(doing)?.get(0);
    apply.underway.begins(who, doing);
    apply.underway.backend(who, pid);
    let result = elsewhere(apply, || work(client));
    let met = apply.underway.ends_with(who);
    result.map_err(|error| with_whom_it_met(apply, error, &met))
}

pub(super) fn with_whom_it_met(apply: &Apply<'_>, error: Error, met: &Met) -> Error {
    let sqlstate = match &error {
        Error::Database { source, .. } => source.sqlstate(),
        _ if archive::is_for_a_lock(&error) => Some("55P03"),
        _ => return error,
    };
    let sqlstate = sqlstate.map(str::to_owned);
    let mut failure = TenantError { message: error_chain(&error), sqlstate, hint: error.hint() };
    if apply.names_blockers(&mut failure, &met.blockers) {
        return Error::Refused { message: failure.message, hint: failure.hint };
    }
    error
}

fn soon(apply: &Apply<'_>) -> Duration {
    (apply.desired.lock_timeout / 4).clamp(SOONEST, SOON)
}

struct Watch<'a> {
    apply: &'a Apply<'a>,
    client: &'a mut Client,
    /// How long one waits before it is looked at, and between two looks.
    soon: Duration,
    /// Who was told when of which backend.
    told: BTreeMap<(String, i32), Instant>,
    /// A backend's number is given again.
    ended: BTreeMap<i32, Instant>,
    refused: BTreeSet<i32>,
    /// False while what tenants share is changed: the audit log may be what our own statement waits for, or has locked.
    writes_at_once: bool,
    /// Not in the audit log yet.
    unwritten: Vec<Ended>,
}

/// A session that was ended.
struct Ended {
    /// Whom it blocked.
    who: String,
    /// Whose it was.
    tenant: String,
    words: String,
}

impl<'a> Watch<'a> {
    fn new(apply: &'a Apply<'a>, client: &'a mut Client, writes_at_once: bool) -> Self {
        let soon = soon(apply);
        apply.underway.is_watched(true);
        Self {
            apply,
            client,
            soon,
            told: BTreeMap::new(),
            ended: BTreeMap::new(),
            refused: BTreeSet::new(),
            writes_at_once,
            unwritten: Vec::new(),
        }
    }

    /// Until the other end of the channel is dropped.
    fn until(mut self, over: &Receiver<()>) {
        while matches!(over.recv_timeout(self.soon), Err(RecvTimeoutError::Timeout)) {
            let result = self.look();
            self.apply.underway.sees_nobody(result.err().map(|error| error.to_string()));
            if self.client.is_closed() {
                break;
            }
        }
        // The work is over, and with it our own locks.
        if let Some(error) = self.write() {
            for Ended { who, words, .. } in &self.unwritten {
                self.say(who, &format!("not in the audit log that a session was ended ({words}): {error}"));
            }
        }
        self.apply.underway.is_watched(false);
    }

    fn look(&mut self) -> Result<(), DatabaseError> {
        let mut ours = self.apply.underway.backends();
        ours.extend(self.programs()?);
        let slow: Vec<i32> = ours.iter().filter(|(_, at)| at.since >= self.soon).map(|(pid, _)| *pid).collect();
        if slow.is_empty() {
            return Ok(());
        }
        let mut found = blockers::of(self.client, self.apply.usernames, &slow)?;
        found.retain(|blocker| blocker.waited >= self.soon && !ours.contains_key(&blocker.pid));
        for blocker in found.iter_mut().filter(|blocker| self.refused.contains(&blocker.pid)) {
            blocker.refused = Some(self.grant());
        }
        for blockers in found.chunk_by(|a, b| a.waits == b.waits) {
            if let Some(at) = ours.get(&blockers[0].waits) {
                self.blocked(at, blockers);
            }
        }
        Ok(())
    }

    /// The backends of pg_dump and pg_restore.
    fn programs(&mut self) -> Result<Vec<(i32, Backend)>, DatabaseError> {
        let deputies = self.apply.underway.deputies();
        if deputies.is_empty() {
            return Ok(Vec::new());
        }
        let roles: Vec<&String> = deputies.keys().collect();
        let query = "SELECT a.pid, a.usename::text FROM pg_catalog.pg_stat_activity a WHERE a.usename = ANY ($1::text[]::name[])";
        let backend = |row: Record| {
            let (who, since) = deputies.get(row.get::<_, &str>(1))?;
            Some((row.get(0), Backend { who: who.clone(), since: *since, patient: false }))
        };
        Ok(self.client.ask(query, &[&roles])?.into_iter().filter_map(backend).collect())
    }

    fn blocked(&mut self, at: &Backend, blockers: &[Blocker]) {
        self.apply.underway.blocked(&at.who, blockers);
        self.told.retain(|_, told| told.elapsed() < AGAIN);
        let (waited, for_its_end) = (blockers[0].waited, blockers[0].for_its_end);
        if blockers.iter().any(|blocker| !self.told.contains_key(&(at.who.clone(), blocker.pid))) {
            self.told.extend(blockers.iter().map(|blocker| ((at.who.clone(), blocker.pid), Instant::now())));
            let long = if waited < SOON { String::new() } else { format!(" for {} s", waited.as_secs()) };
            let mut line = format!("waiting{long}, blocked by {}", blockers::words(blockers));
            if at.patient && for_its_end {
                line.push_str(&format!(
                    "; nobody waits behind it, and it waits for up to {} min",
                    LONGEST_WAIT.as_secs() / 60
                ));
            }
            self.say(&at.who, &line);
        }
        let limit = self.apply.desired.lock_timeout;
        // Whoever needs no more than that is waited for.
        let patience = if at.patient && for_its_end { limit } else { limit / 2 };
        if self.apply.end_blockers && waited >= patience {
            blockers.iter().for_each(|blocker| self.end(&at.who, blocker));
        }
        if at.patient && !for_its_end && waited >= limit {
            self.apply.underway.gives_up(&at.who);
        }
    }

    fn end(&mut self, who: &str, blocker: &Blocker) {
        let Some(tenant) = &blocker.tenant else { return };
        let words = blocker.words();
        match blockers::end(self.client, blocker, self.apply.server.major()) {
            Ok(false) => {}
            Ok(true) => {
                // It may take a moment to go.
                if self.ended.insert(blocker.pid, Instant::now()).is_none_or(|ended| ended.elapsed() > AGAIN) {
                    self.say(who, &format!("ended {words}"));
                    self.apply.underway.ended(who, words.clone());
                    self.unwritten.push(Ended { who: who.to_owned(), tenant: tenant.clone(), words });
                    if self.writes_at_once {
                        self.write();
                    }
                }
            }
            Err(error) => {
                let grant = self.grant();
                self.apply.underway.refused(who, blocker.pid, &grant);
                if self.refused.insert(blocker.pid) {
                    let line = format!("could not end {words}: {}", error_chain(&error));
                    self.say(who, &format!("{line}; as a superuser: {grant}"));
                }
            }
        }
    }

    /// With that we may end any session but a superuser's.
    fn grant(&self) -> String {
        format!("GRANT pg_signal_backend TO {}", ident(&self.apply.server.admin.name))
    }

    /// What cannot be written yet, for a lock say, stays.
    fn write(&mut self) -> Option<DatabaseError> {
        while let Some(ended) = self.unwritten.pop() {
            if let Err(error) = self.audit(&ended) {
                self.unwritten.push(ended);
                return Some(error);
            }
        }
        None
    }

    fn audit(&mut self, Ended { who, tenant, words }: &Ended) -> Result<(), DatabaseError> {
        let changes = serde_json::json!([{ "kind": "end_session", "what": words, "before": format!("blocked {who}") }]);
        let mut transaction = self.client.transaction()?;
        let begin = [self.apply.desired.limits_waits(), registry::guard::check()].join("; ");
        transaction.batch_execute(&begin)?;
        registry::append_audit(&mut transaction, tenant, "end_blockers", &changes)?;
        Ok(transaction.commit()?)
    }

    fn say(&self, who: &str, line: &str) {
        (self.apply.said)(who, line);
    }
}
