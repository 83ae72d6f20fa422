//! The changes of one tenant's plan, in its order, inside the open transaction.

use postgres::Transaction;
use secrecy::SecretString;

use super::batch::{Batch, Mode};
use super::failure::{Ended, Retry, database_error, of_database, retried, rolled_back};
use super::job::Job;
use super::progress::Progress;
use super::secret::Delivery;
use super::{archive, as_planned, concurrently, fence, migrate};
use crate::core::plan::{Change, Kind, Step};
use crate::core::report::TenantError;
use crate::engine::database::{DatabaseError, execute_unlogged};
use crate::engine::password;
use crate::engine::retry::retry;

impl Job<'_> {
    /// The changes in the plan's order. Returns the versions that must wait until after COMMIT.
    pub fn changes(
        &self,
        transaction: &mut Transaction<'_>,
        delivery: Option<&Delivery>,
        progress: &mut Progress,
    ) -> Result<Vec<i32>, Ended> {
        let mut late = Vec::new();
        let password = delivery.map(|delivery| &delivery.password);
        // Names are parked for all of a ring first.
        for change in self.plan.changes.iter().filter(|change| change.kind != Kind::ParkNames) {
            let doing = self.apply.underway.doing(self.plan.tenant.as_str(), &self.named(change));
            doing.map_err(rolled_back)?;
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
                    archive::sweep(self).map_err(rolled_back)?;
                }
                Step::Archive { .. } if progress.begun => {}
                Step::Archive { subject, .. } => {
                    let Some(deputy) = &progress.deputy else {
                        let error = TenantError::new("the plan archives the tenant and nobody can log in for it");
                        return Err(rolled_back(error));
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
        let attempt = || {
            let mut savepoint = transaction.savepoint("patiently").map_err(of_database)?;
            // Dropped, it is rolled back.
            self.statements(&mut savepoint, change, None)?;
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
        change: &Change,
        password: Option<&SecretString>,
    ) -> Result<(), Ended> {
        for sql in &change.sql {
            let result = if sql.needs_verifier() {
                let Some(password) = password else {
                    let error = TenantError::new(format!("the plan sets a password for {} but has none", change.what));
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
}
