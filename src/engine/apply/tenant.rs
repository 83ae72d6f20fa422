//! One tenant, one transaction.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use postgres::{Client, SimpleQueryMessage, Transaction};
use rand::RngExt;
use secrecy::SecretString;

use super::archive::{self, Archived};
use super::commit::commit;
use super::migrate::{Batch, Mode};
use super::{Apply, as_planned, concurrently, fence, migrate, password, pieces, secret, sessions};
use crate::core::model::Tenant;
use crate::core::plan::{Change, Kind, Sql, Step, Target, TenantPlan};
use crate::core::report::{Done, Failed, Outcome, TenantError};
use crate::engine::archive::Deputy;
use crate::engine::database::{DatabaseError, ServerError, execute_unlogged, is_retryable, session};
use crate::engine::error::{Error, with_causes};
use crate::engine::registry;

/// How often a tenant's transaction is tried again after 55P03, 40P01, 40001 or "tuple concurrently updated".
pub(super) const ATTEMPTS: u32 = 5;

/// Waits 50 ms doubled each time, and up to as much again, so that those who met do not meet again.
pub(super) fn back_off(attempt: u32) {
    let base = 50 * 2_u64.pow(attempt);
    std::thread::sleep(Duration::from_millis(base + rand::rng().random_range(0..=base)));
}

pub(super) const MY_BACKEND: &str = "SELECT pg_catalog.pg_backend_pid()";

/// One tenant's plan being carried out.
pub(super) struct Job<'a> {
    pub apply: &'a Apply<'a>,
    pub plan: &'a TenantPlan,
    /// What a transaction begins with: lock_timeout, whether nobody else's code runs when the registry is written to, and
    /// whether the lock of apply is still held.
    pub preamble: String,
    /// The same later in the transaction, which keeps the registry's tables locked.
    pub resumption: String,
    /// The same for what only repairs, or accompanies, what this run does: the session that took the lock may have
    /// ended, as long as nobody else has taken it.
    pub aside: String,
    /// The manifest of the archive that this run made; that of its next try takes its place.
    pub archived: RefCell<Option<PathBuf>>,
}

impl<'a> Job<'a> {
    pub fn new(apply: &'a Apply<'a>, plan: &'a TenantPlan) -> Self {
        let (waits, check) = (apply.desired.limits_waits(), apply.lock.check());
        // What is never committed writes nothing to the registry, which may not be there yet.
        let guard = check.as_ref().map(|_| registry::guard::check());
        let join =
            |guard| std::iter::once(waits.clone()).chain(guard).chain(check.clone()).collect::<Vec<_>>().join("; ");
        let aside = std::iter::once(waits.clone()).chain(guard.clone()).chain(apply.lock.check_that_nobody_took_it());
        let aside = aside.collect::<Vec<_>>().join("; ");
        Self { apply, plan, preamble: join(guard), resumption: join(None), aside, archived: RefCell::default() }
    }
}

impl Job<'_> {
    /// A transaction of this tenant's. Whoever watches learns in which backend it is.
    pub fn begin<'c>(&self, client: &'c mut Client) -> Result<Transaction<'c>, postgres::Error> {
        let mut transaction = client.transaction()?;
        let answers = transaction.simple_query(&format!("{}; {MY_BACKEND}", self.preamble))?;
        let number = answers.iter().find_map(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        if let Some(number) = number {
            self.apply.underway.backend(self.plan.tenant.as_str(), number);
        }
        Ok(transaction)
    }

    /// Before what is committed outside of the tenant's transaction.
    pub fn still_holds_the_lock(&self, client: &mut Client) -> Result<(), postgres::Error> {
        client.batch_execute(&self.apply.lock.check().unwrap_or_default())
    }

    /// The SQL that takes the owner's rights, and that gives them back; empty for a superuser.
    pub fn borrowed(&self) -> (String, String) {
        let sql = |kind: Kind| {
            let changes = self.plan.changes.iter().filter(|change| change.kind == kind);
            changes.flat_map(|change| &change.sql).map(Sql::shown).collect::<Vec<_>>().join("; ")
        };
        (sql(Kind::BorrowRights), sql(Kind::ReturnRights))
    }

    /// What PostgreSQL refused is told with what was asked of it, everything else with what was being done.
    pub fn told(&self, doing: &str, error: &Error) -> TenantError {
        match error {
            Error::Database { doing, source } => database_error(doing, source),
            other => self.error(doing, other),
        }
    }

    pub fn error(&self, doing: &str, error: &Error) -> TenantError {
        match error {
            Error::Database { source, .. } => database_error(doing, source),
            other => {
                TenantError { message: format!("{doing}: {}", with_causes(other)), sqlstate: None, hint: other.hint() }
            }
        }
    }
}

/// Names what was being done, and all that PostgreSQL answered.
pub(super) fn database_error(doing: &str, error: &DatabaseError) -> TenantError {
    // The SQLSTATE has a field of its own; whoever prints the error adds it.
    let said = match error.server() {
        Some(ServerError { message, detail: Some(detail), .. }) => format!("{message}; {}", detail.replace('\n', "; ")),
        Some(server) => server.message.clone(),
        None => error.to_string(),
    };
    let message = if doing.is_empty() { said } else { format!("{doing}: {said}") };
    let waited = error.sqlstate() == Some("55P03");
    let hint = error.hint().or(waited.then_some(WHO_HOLDS_IT)).map(str::to_owned);
    TenantError { message, sqlstate: error.sqlstate().map(str::to_owned), hint }
}

/// A tenant's prepared transaction outlives its sessions, which a removal ends, and keeps its locks.
const WHO_HOLDS_IT: &str = "another session holds a lock on it; to see which: SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity, while it waits; \
     0 is a prepared transaction: SELECT gid, owner FROM pg_prepared_xacts, and ROLLBACK PREPARED 'gid'";

/// How far a removal got, whether or not it then failed.
#[derive(Default)]
pub(super) struct Progress {
    pub archived: Option<Archived>,
    /// A part is dropped and committed: there is no way back.
    pub begun: bool,
}

/// How one try ended, when not well.
pub(super) enum Ended {
    /// Rolled back. Worth another try when the cause was a lock.
    Failed(TenantError, Retry),
    Unknown(TenantError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Yes,
    No,
}

impl Retry {
    pub fn when(is_retryable: bool) -> Self {
        if is_retryable { Self::Yes } else { Self::No }
    }
}

/// Carries out one tenant's plan on the worker's session, which is opened, or opened again, when it must be.
pub(super) fn run(apply: &Apply<'_>, slot: &mut Option<Client>, plan: &TenantPlan) -> Result<Done, Failed> {
    let job = Job::new(apply, plan);
    let migrates = plan.changes.iter().any(|change| change.kind == Kind::Migrate);
    let result = attempts(apply, slot, migrates, |client| job.once(client));
    result.map_err(|failed| Failed { archive: job.archived.take(), ..failed })
}

/// Tries until it succeeds or another try would not help. `used`: code of a tenant's runs in this session.
pub(super) fn attempts<T>(
    apply: &Apply<'_>,
    slot: &mut Option<Client>,
    used: bool,
    once: impl Fn(&mut Client) -> Result<T, Ended>,
) -> Result<T, Failed> {
    let mut attempt = 0;
    loop {
        let client = match connected(apply, slot) {
            Ok(client) => client,
            Err(error) => return Err(Failed { outcome: Outcome::Failed, error, archive: None }),
        };
        let result = once(client);
        // Temporary tables, settings and prepared names of a tenant's making go.
        if (used || result.is_err()) && clean(client).is_err() {
            *slot = None;
        }
        match result {
            Ok(done) => return Ok(done),
            Err(Ended::Failed(_, Retry::Yes)) if attempt < ATTEMPTS && !apply.underway.is_cancelled() => {
                back_off(attempt)
            }
            Err(Ended::Failed(error, _)) => return Err(Failed { outcome: Outcome::Failed, error, archive: None }),
            Err(Ended::Unknown(error)) => return Err(Failed { outcome: Outcome::Unknown, error, archive: None }),
        }
        attempt += 1;
    }
}

pub(super) fn clean(client: &mut Client) -> Result<(), DatabaseError> {
    client.batch_execute("DISCARD ALL")?;
    session::prepare(client)
}

pub(super) fn is_connected(apply: &Apply<'_>, session: &mut Option<Client>) -> Result<(), TenantError> {
    connected(apply, session).map(drop)
}

fn connected<'s>(apply: &Apply<'_>, session: &'s mut Option<Client>) -> Result<&'s mut Client, TenantError> {
    if session.as_ref().is_none_or(Client::is_closed) {
        *session = Some(connect(apply)?);
    }
    session.as_mut().ok_or_else(|| TenantError::new("no session"))
}

pub(super) fn connect(apply: &Apply<'_>) -> Result<Client, TenantError> {
    apply.target.connect_admin().map_err(|error| {
        let message = match error.database() {
            Some(cause) => database_error(&error.to_string(), cause).message,
            None => with_causes(&error),
        };
        let mut failure = TenantError::new(message);
        failure.sqlstate = error.sqlstate().map(str::to_owned);
        failure.hint = error.hint().map(str::to_owned);
        failure
    })
}

impl Job<'_> {
    fn once(&self, client: &mut Client) -> Result<Done, Ended> {
        self.apply.underway.session(self.plan.tenant.as_str(), client, self.apply.target);
        let rolled_back = |error| Ended::Failed(error, Retry::No);
        let tenant = self.plan.target.delivers();
        let delivery = match tenant {
            Some((tenant, from)) => secret::resolve(self.apply, tenant, from).map_err(rolled_back)?,
            None => None,
        };
        if self.drops_schema() {
            // Nobody's sessions are ended for a plan that no longer holds, or for want of the session that looks from outside.
            self.is_as_planned(client).map_err(retried)?;
            connect(self.apply).map(drop).map_err(retried)?;
        }
        self.nothing_more_holds_the_roles(client).map_err(retried)?;
        let asleep = match self.ends_sessions_of() {
            Some(role) => sessions::lock_out(client, self, role).map_err(of_database)?,
            None => None,
        };
        fail_point!("before_begin");
        let deputy = archive::appoint(self, client);
        let mut progress = Progress::default();
        let result = match &deputy {
            Ok(deputy) => pieces::run(self, client, deputy.as_ref(), &mut progress).map_err(retried).and_then(|()| {
                let tenant = tenant.map(|(tenant, _)| tenant);
                self.transact(client, tenant, delivery.as_ref(), deputy.as_ref(), &mut progress)
            }),
            Err(error) => Err(retried(error.clone())),
        };
        let archive = || progress.archived.as_ref().map(|archived| archived.manifest.clone());
        let late = match (result, asleep) {
            (Ok(late), _) => late,
            (Err(Ended::Failed(mut failure, _)), _) if progress.begun => {
                failure
                    .hint
                    .get_or_insert_with(|| "part of it is already dropped; the next apply resumes the removal".into());
                return Ok(Done { archive: archive(), left: Some(failure) });
            }
            (Err(Ended::Failed(mut failure, retry)), asleep) => {
                if asleep.is_some() || matches!(deputy, Ok(Some(_))) {
                    sessions::connect_again(self.apply, client);
                }
                if let Ok(Some(deputy)) = &deputy
                    && let Err(error) = deputy.dismiss(client, self.apply.server, &self.plan.tenant)
                {
                    failure.message = format!("{}; {}", failure.message, with_causes(&error));
                }
                if let Some(asleep) = asleep {
                    asleep.wake(client, self, &mut failure);
                }
                return Err(Ended::Failed(failure, retry));
            }
            (Err(ended), _) => return Err(ended),
        };
        let left = self.after_commit(client, &late).err();
        Ok(Done { archive: archive(), left })
    }

    /// The one transaction, and the secret just before its COMMIT.
    fn transact(
        &self,
        client: &mut Client,
        tenant: Option<&Tenant>,
        delivery: Option<&secret::Delivery>,
        deputy: Option<&Deputy>,
        progress: &mut Progress,
    ) -> Result<Vec<i32>, Ended> {
        let rolled_back = |error| Ended::Failed(error, Retry::No);
        let mut transaction = self.begin(client).map_err(of_database)?;
        self.is_still_to_go(&mut transaction, progress).map_err(of_database)?;
        self.is_as_planned(&mut transaction).map_err(retried)?;
        let password = delivery.map(|delivery| &delivery.password);
        let late = self.changes(&mut transaction, password, deputy, progress)?;
        fail_point!("after_changes");
        if let Some(archived) = &progress.archived {
            archive::holds_everything(self, archived, progress.begun).map_err(rolled_back)?;
        }
        self.register(&mut transaction, None).map_err(of_database)?;
        self.was_as_planned(&mut transaction).map_err(retried)?;
        fail_point!("before_secret");
        let written = match tenant {
            Some(tenant) => secret::write(self.apply, self.plan, tenant, delivery).map_err(rolled_back)?,
            None => None,
        };
        fail_point!("after_secret");
        let recorded = match &written {
            Some(written) => self.register(&mut transaction, Some(&written.version)),
            None => Ok(()),
        };
        if let Err(failed) = commit(transaction, recorded, self.apply.lock) {
            self.look_again(client, failed, written.into_iter().collect())?;
        }
        fail_point!("after_commit");
        Ok(late)
    }

    /// The changes in the plan's order. Returns the versions that must wait until after COMMIT.
    pub fn changes(
        &self,
        transaction: &mut Transaction<'_>,
        password: Option<&SecretString>,
        deputy: Option<&Deputy>,
        progress: &mut Progress,
    ) -> Result<Vec<i32>, Ended> {
        let mut late = Vec::new();
        // Names are parked for all of a ring first.
        for change in self.plan.changes.iter().filter(|change| change.kind != Kind::ParkNames) {
            let doing = self.apply.underway.doing(self.plan.tenant.as_str(), &self.named(change));
            doing.map_err(|error| Ended::Failed(error, Retry::No))?;
            match &change.step {
                // Once there is an archive, whoever still reads a table is waited for, rather than made a new one for.
                Step::Sql | Step::DropRole { .. } | Step::DropInPieces { .. } | Step::UnlinkInPieces { .. }
                    if progress.archived.is_some() =>
                {
                    self.patiently(transaction, change)?
                }
                Step::Sql | Step::DropRole { .. } | Step::DropInPieces { .. } | Step::UnlinkInPieces { .. } => {
                    self.statements(transaction, change, password)?
                }
                Step::DropDeputy => {
                    self.statements(transaction, change, password)?;
                    archive::sweep(self).map_err(|error| Ended::Failed(error, Retry::No))?;
                }
                Step::Archive { .. } if progress.begun => {}
                Step::Archive { subject, .. } => {
                    let Some(deputy) = deputy else {
                        let error = TenantError::new("the plan archives the tenant and nobody can log in for it");
                        return Err(Ended::Failed(error, Retry::No));
                    };
                    progress.archived = Some(archive::make(self, transaction, subject, deputy).map_err(retried)?);
                }
                Step::Migrate { versions, owner, schema, history_sql, .. } => {
                    let (now, after) =
                        concurrently::split(&self.apply.desired.migrations, versions, self.apply.server.major());
                    late = after;
                    let batch = Batch { schema, owner, versions: &now, history_sql, mode: Mode::Run };
                    migrate::run(self, transaction, &batch)
                        .and_then(|()| fence::nothing_is_deferred(transaction))
                        .and_then(|()| self.record_what_was_made(transaction, &now))
                        .map_err(retried)?;
                }
                // Sessions ended before the transaction began; secrets are for its end.
                Step::EndSessions { .. } | Step::WriteSecret { .. } | Step::DeleteSecret { .. } => {}
            }
        }
        Ok(late)
    }

    /// For whoever waits for it: a migration is known by its file.
    fn named(&self, change: &Change) -> String {
        let Step::Migrate { versions, .. } = &change.step else { return change.what.clone() };
        let file = |version: Option<&i32>| self.apply.desired.migrations.get(*version?).map(|file| file.file.as_str());
        match (file(versions.first()), file(versions.last())) {
            (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
            (Some(only), _) => only.to_owned(),
            _ => change.what.clone(),
        }
    }

    /// The change, tried again inside the transaction, so that the locks it already holds stay.
    fn patiently(&self, transaction: &mut Transaction<'_>, change: &Change) -> Result<(), Ended> {
        let mut attempt = 0;
        loop {
            let mut savepoint = transaction.savepoint("patiently").map_err(of_database)?;
            let result = self.statements(&mut savepoint, change, None);
            match result {
                Ok(()) => return savepoint.commit().map_err(of_database),
                Err(Ended::Failed(_, Retry::Yes)) if attempt < ATTEMPTS => {
                    savepoint.rollback().map_err(of_database)?;
                    back_off(attempt);
                }
                Err(Ended::Failed(error, _)) => return Err(Ended::Failed(error, Retry::No)),
                Err(ended) => return Err(ended),
            }
            attempt += 1;
        }
    }

    pub fn statements(
        &self,
        transaction: &mut Transaction<'_>,
        change: &Change,
        password: Option<&SecretString>,
    ) -> Result<(), Ended> {
        for sql in &change.sql {
            let result = if sql.needs_verifier() {
                let Some(password) = password else {
                    let error = TenantError::new(format!("the plan sets a password for {} but has none", change.what));
                    return Err(Ended::Failed(error, Retry::No));
                };
                let verifier = password::verifier_literal(password);
                let sent = zeroize::Zeroizing::new(sql.sent(&verifier));
                execute_unlogged(transaction, &sent, self.apply.server.admin.superuser)
            } else {
                transaction.batch_execute(sql.shown())
            };
            result.map_err(|error| {
                let error = DatabaseError::from(error);
                Ended::Failed(self.explained(change, &error), Retry::when(error.is_retryable()))
            })?;
        }
        Ok(())
    }

    /// Some refusals need more words than PostgreSQL has.
    fn explained(&self, change: &Change, error: &DatabaseError) -> TenantError {
        let mut failure = database_error(&change.what, error);
        let Step::DropRole { role, .. } = &change.step else { return failure };
        match error.sqlstate() {
            Some("2BP01") if error.hint().is_none() => failure.hint = Some(as_planned::given_since(role)),
            Some("55P03") => failure.hint = Some(as_planned::who_names(role)),
            _ => {}
        }
        failure
    }

    fn ends_sessions_of(&self) -> Option<&str> {
        self.plan.changes.iter().find_map(|change| match &change.step {
            Step::EndSessions { role } => Some(role.as_str()),
            _ => None,
        })
    }

    /// What cannot be part of the transaction. A crash before its end is mended by the next apply.
    ///
    /// # Errors
    /// What is left to do. It is never tried again from the start: what is committed would be done twice.
    pub fn after_commit(&self, client: &mut Client, late: &[i32]) -> Result<(), TenantError> {
        self.finish(client, late).map_err(|error| TenantError {
            message: format!("it is committed, but a later step failed: {}", error.message),
            hint: error.hint.or_else(|| Some("the next apply does the rest".into())),
            ..error
        })
    }

    fn finish(&self, client: &mut Client, late: &[i32]) -> Result<(), TenantError> {
        let of_database = |error: postgres::Error| database_error("", &error.into());
        let deletes = !secret::to_delete(self.apply, self.plan).is_empty();
        if deletes {
            // Whoever has the lock now may have created the tenant again, with this very secret.
            self.still_holds_the_lock(client).map_err(of_database)?;
        }
        secret::delete(self.apply, self.plan)?;
        fail_point!("after_secret_deleted");
        let is_gone = matches!(self.plan.target, Target::Removed { .. } | Target::Retained { .. });
        if is_gone || deletes {
            let mut transaction = self.begin(client).map_err(of_database)?;
            if is_gone {
                registry::secret_is_gone(&mut transaction, &self.plan.tenant).map_err(of_database)?;
            }
            registry::forget_former_secrets(&mut transaction, &self.plan.tenant).map_err(of_database)?;
            transaction.commit().map_err(of_database)?;
        }
        fail_point!("before_late_migrations");
        concurrently::run(self, client, late)
    }
}

pub(super) fn of_database(error: postgres::Error) -> Ended {
    let error = DatabaseError::from(error);
    Ended::Failed(database_error("", &error), Retry::when(error.is_retryable()))
}

pub(super) fn is_worth_another_try(error: &TenantError) -> bool {
    error.sqlstate.as_deref().is_some_and(|sqlstate| is_retryable(sqlstate, &error.message, error.hint.as_deref()))
}

pub(super) fn retried(error: TenantError) -> Ended {
    let retry = Retry::when(is_worth_another_try(&error));
    Ended::Failed(error, retry)
}
