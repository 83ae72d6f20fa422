//! The changes of one tenant's plan, in its order, inside the open transaction.

use postgres::Transaction;
use secrecy::SecretString;

use super::call::{Call, Mode};
use super::failure::{Ended, Retry, database_error, of_database, retried, rolled_back};
use super::job::Job;
use super::progress::Progress;
use super::secret::Delivery;
use super::{archive, confine, migrate, recheck, rows};
use crate::core::plan::action::{Baseline, MakeArchive, Migrate};
use crate::core::plan::{Action, Change};
use crate::core::report::TenantError;
use crate::engine::database::{DatabaseError, execute_unlogged};
use crate::engine::inspect;
use crate::engine::password;
use crate::engine::retry::retry;

impl Job<'_> {
    /// What the transaction does, from the archive on.
    pub fn changes(
        &self,
        transaction: &mut Transaction<'_>,
        delivery: Option<&Delivery>,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        let phases = &self.plan.phases;
        let password = delivery.map(|delivery| &delivery.password);
        if let Some(rights) = &phases.rights {
            self.statements(transaction, rights, None)?;
        }
        if let Some(archive) = phases.archive.as_ref().filter(|_| !progress.begun) {
            self.archive(transaction, archive, progress)?;
        }
        for change in &phases.transaction {
            self.change(transaction, change, password, progress)?;
        }
        phases.give_back.as_ref().map_or(Ok(()), |rights| self.statements(transaction, rights, None))
    }

    fn archive(
        &self,
        transaction: &mut Transaction<'_>,
        archive: &MakeArchive,
        progress: &mut Progress,
    ) -> Result<(), Ended> {
        self.doing(&self.plan.what(archive))?;
        let Some(deputy) = &progress.deputy else {
            let error = TenantError::new("the plan archives the tenant and nobody can log in for it");
            return Err(rolled_back(error));
        };
        progress.archived = Some(archive::make(self, transaction, &archive.subject, deputy).map_err(retried)?);
        Ok(())
    }

    fn change(
        &self,
        transaction: &mut Transaction<'_>,
        change: &Change,
        password: Option<&SecretString>,
        progress: &Progress,
    ) -> Result<(), Ended> {
        if let Change::Migrate(migrate) = change {
            self.doing(&migrate.in_progress())?;
            return self.migrate(transaction, migrate);
        }
        if let Change::CopyRows(copy) = change {
            self.doing(&self.plan.what(copy))?;
            return rows::copy(self, transaction, copy).map_err(retried);
        }
        if let Change::Baseline(baseline) = change {
            self.doing(&self.plan.what(baseline))?;
            return self.baseline(transaction, baseline);
        }
        let action = change.view();
        self.doing(&self.plan.what(action))?;
        let done = match progress.archived {
            // Once there is an archive, whoever still reads a table is waited for, rather than made a new one for.
            Some(_) => self.retry_in_savepoint(transaction, action),
            None => self.statements(transaction, action, password),
        };
        match change {
            Change::DropRole(drop) => done.map_err(|ended| explained(&drop.role, ended)),
            Change::DropDeputy(_) => done.and_then(|()| archive::sweep(self).map_err(rolled_back)),
            _ => done,
        }
    }

    fn migrate(&self, transaction: &mut Transaction<'_>, migrate: &Migrate) -> Result<(), Ended> {
        let (versions, history_sql) = (migrate.now(), &migrate.history_sql());
        let mode = if migrate.at_once { Mode::RunAtOnce } else { Mode::Run };
        let batch = Call { schema: &migrate.schema, owner: &migrate.owner, versions, history_sql, mode };
        migrate::run(self, transaction, &batch)
            .and_then(|()| confine::nothing_is_deferred(transaction))
            .and_then(|()| self.record_what_was_made(transaction, versions))
            .map_err(retried)
    }

    /// The history is made, and says that these ran.
    fn baseline(&self, transaction: &mut Transaction<'_>, baseline: &Baseline) -> Result<(), Ended> {
        if baseline.by_tool {
            self.tool_says_the_same(transaction, baseline).map_err(rolled_back)?;
        }
        let Baseline { schema, owner, versions, .. } = baseline;
        let call = Call { schema, owner, versions, history_sql: &baseline.history_sql(), mode: Mode::Record };
        migrate::run(self, transaction, &call).map_err(retried)
    }

    /// The tool whose history is taken over may have gone on since the plan was made.
    fn tool_says_the_same(&self, transaction: &mut Transaction<'_>, baseline: &Baseline) -> Result<(), TenantError> {
        let set = &self.apply.desired.migrations;
        let found = inspect::tool_history_of(transaction, set.format, &baseline.schema)
            .map_err(|error| self.error(&format!("reading the history of {}", set.format.as_str()), &error))?;
        let now = found.and_then(|history| history.versions(set).ok()).unwrap_or_default();
        if now.iter().eq(&baseline.versions) {
            return Ok(());
        }
        let message = format!("{}'s history changed since the plan was made; nothing was changed", set.format.as_str());
        Err(TenantError::new(message).hint("adopt again: tenantry adopt"))
    }

    /// For whoever waits for it.
    fn doing(&self, what: &str) -> Result<(), Ended> {
        self.apply.underway.doing(self.plan.tenant.as_str(), what).map_err(rolled_back)
    }

    /// The change, tried again inside the transaction, so that the locks it already holds stay.
    fn retry_in_savepoint(&self, transaction: &mut Transaction<'_>, action: &dyn Action) -> Result<(), Ended> {
        let attempt = || {
            let mut savepoint = transaction.savepoint("retry_in_savepoint").map_err(of_database)?;
            // Dropped, it is rolled back.
            self.statements(&mut savepoint, action, None)?;
            savepoint.commit().map_err(of_database)
        };
        retry(attempt, |ended| matches!(ended, Ended::Failed(_, Retry::Yes))).map_err(|ended| match ended {
            Ended::Failed(error, _) => rolled_back(error),
            unknown => unknown,
        })
    }

    pub fn statements(
        &self,
        transaction: &mut Transaction<'_>,
        action: &dyn Action,
        password: Option<&SecretString>,
    ) -> Result<(), Ended> {
        for sql in action.sql() {
            let result = if sql.needs_verifier() {
                let Some(password) = password else {
                    let what = self.plan.what(action);
                    let error = TenantError::new(format!("the plan sets a password for {what} but has none"));
                    return Err(rolled_back(error));
                };
                let verifier = password::verifier_literal(password);
                let sent = zeroize::Zeroizing::new(sql.sent(&verifier));
                execute_unlogged(transaction, &sent, self.apply.server.admin.superuser)
            } else {
                transaction.batch_execute(sql.shown())
            };
            result.map_err(|error| {
                let error = DatabaseError::from(error);
                Ended::Failed(database_error(&self.plan.what(action), &error), Retry::when(error.is_retryable()))
            })?;
        }
        Ok(())
    }
}

/// Some refusals to drop a role need more words than PostgreSQL has.
fn explained(role: &str, ended: Ended) -> Ended {
    let Ended::Failed(mut failure, retry) = ended else { return ended };
    match failure.sqlstate.as_deref() {
        Some("2BP01") if failure.hint.is_none() => failure.hint = Some(recheck::given_since(role)),
        Some("55P03") => failure.hint = Some(recheck::who_names(role)),
        _ => {}
    }
    Ended::Failed(failure, retry)
}
