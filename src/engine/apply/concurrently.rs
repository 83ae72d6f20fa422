//! Migrations that cannot run in the tenant's transaction: after COMMIT, recorded when they succeeded. Either in no
//! transaction at all (`-- tenantry: no-transaction`), or in one of their own, after an enum's new label.

use postgres::Client;

use super::call::{Call, Mode};
use super::context::Apply;
use super::failure::{database_error, is_worth_another_try};
use super::job::Job;
use super::session::{MY_BACKEND, connect_again};
use super::underway::LONGEST_WAIT;
use super::{confine, migrate};
use crate::core::migrations::{MigrationFile, Transaction, Version};
use crate::core::model::{ident, qualified};
use crate::core::plan::action::{LateMigrations, Rights};
use crate::core::report::TenantError;
use crate::engine::archive::{Deputy, Errand};
use crate::engine::database::Ask;
use crate::engine::error::error_chain;
use crate::engine::retry::retry;

/// Runs these in order, each file or each few in their transaction.
pub(super) fn run(job: &Job<'_>, client: &mut Client, late: &LateMigrations) -> Result<(), TenantError> {
    let place = Place { job, late };
    if !late.log_in {
        return place.each(client, None);
    }
    let Apply { target, server, .. } = job.apply;
    let (tenant, owner) = (&job.plan.tenant, [late.owner.clone()]);
    let deputy = Deputy::appoint(client, target, server, tenant, &owner, Errand::Migrate, &job.aside);
    let deputy = deputy.map_err(|error| job.told("running migrations outside a transaction", &error))?;
    let result = place.each(client, Some(&deputy));
    fail_point!("before_deputy_is_dismissed");
    // The session may have been lost to what failed; the deputy goes all the same.
    connect_again(job.apply, client);
    let dismissed = deputy.dismiss(client, server, &job.plan.tenant);
    result.and(dismissed.map_err(|error| job.told("after the migrations", &error)))
}

/// Whose migrations they are.
struct Place<'a> {
    job: &'a Job<'a>,
    late: &'a LateMigrations,
}

impl Place<'_> {
    fn each(&self, client: &mut Client, deputy: Option<&Deputy>) -> Result<(), TenantError> {
        let job = self.job;
        let set = &job.apply.desired.migrations;
        for Transaction { versions, .. } in &self.late.transactions {
            let file = versions.first().and_then(|version| set.get(*version)).map_or("", |file| file.file.as_str());
            job.apply.underway.doing(job.plan.tenant.as_str(), file)?;
            let late = versions.first().and_then(|version| set.get(*version)).filter(|file| file.no_transaction);
            if let (Some(file), Some(deputy)) = (late, deputy) {
                let result = self.outside(client, deputy, file);
                job.apply.underway.session(job.plan.tenant.as_str(), client, job.apply.target);
                result?;
            }
            fail_point!("before_late_migration_is_recorded");
            let mode = if late.is_some() { Mode::Record } else { Mode::Run };
            retry(|| self.transact(client, versions, mode), is_worth_another_try)?;
        }
        Ok(())
    }

    fn transact(&self, client: &mut Client, versions: &[Version], mode: Mode) -> Result<(), TenantError> {
        let job = self.job;
        let LateMigrations { schema, owner, rights, .. } = self.late;
        let failed = |error: postgres::Error| database_error("recording the migrations", &error.into());
        let mut transaction = job.begin(client).map_err(failed)?;
        // An admin who is not a superuser took the owner's rights for the first transaction only.
        let take = rights.as_ref().map(Rights::take).unwrap_or_default().join("; ");
        let give = rights.as_ref().map(|rights| rights.give(&[])).unwrap_or_default().join("; ");
        transaction.batch_execute(&take).map_err(failed)?;
        migrate::run(job, &mut transaction, &Call { schema, owner, versions, history_sql: &[], mode })?;
        confine::nothing_is_deferred(&mut transaction)?;
        transaction.batch_execute(&give).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// In a session that logged in with the tenant's rights alone, a new one for each file: whatever runs there, a tenant's
    /// type that reads a literal, an administrator's event trigger whose operators the tenant overloads, can become the
    /// deputy and nobody else.
    fn outside(&self, client: &mut Client, deputy: &Deputy, file: &MigrationFile) -> Result<(), TenantError> {
        let (job, LateMigrations { schema, owner, .. }) = (self.job, self.late);
        let failed = |error: postgres::Error| database_error(&file.file, &error.into());
        job.still_holds_the_lock(client).map_err(failed)?;
        deputy.renew(client).map_err(|error| job.told(&file.file, &error))?;
        let mut session = deputy
            .login
            .connect_admin()
            .map_err(|error| TenantError::new(format!("{}: {}", file.file, error_chain(&error))))?;
        // What an interrupt cancels.
        job.apply.underway.session(job.plan.tenant.as_str(), &session, &deputy.login);
        let tenant = job.plan.tenant.as_str();
        let pid = session.ask_one(MY_BACKEND, &[]).map_err(failed)?.get(0);
        job.apply.underway.backend(tenant, pid);
        session.batch_execute(&format!("SET ROLE {}", ident(owner))).map_err(failed)?;
        self.limits_waits(&mut session, true).map_err(failed)?;
        drop_invalid(&mut session, schema, file)
            .map_err(|error| self.told(database_error(&file.file, &error.into())))?;
        let path = format!("SET search_path = {}", job.apply.desired.search_path(schema));
        session.batch_execute(&path).map_err(failed)?;
        fail_point!("in_late_migration");
        file.statements.iter().try_for_each(|statement| {
            let limited = self.limits_waits(&mut session, statement.waits_for_transactions);
            limited.and_then(|()| super::detach::run(&mut session, statement)).map_err(|error| {
                let place = format!("{}:{}", file.file, statement.line);
                let mut failure = self.told(database_error(&place, &error.into()));
                let hint = match failure.sqlstate.as_deref() {
                    Some("57014") => "everything before this migration is applied; it may have left an index that is invalid, which the next apply drops, and retries",
                    _ => "everything before this migration is applied; the next apply retries it",
                };
                failure.hint.get_or_insert_with(|| hint.into());
                failure
            })
        })
    }

    /// lock_timeout is for every wait of a statement's, and what is done CONCURRENTLY waits for transactions too, behind which
    /// nobody queues: for those it may take longer. Then whoever watches ends a wait for a lock that lasts longer than
    /// the configured lock_timeout; where nobody does, that is for all.
    fn limits_waits(&self, session: &mut Client, for_transactions: bool) -> Result<(), postgres::Error> {
        let Apply { underway, desired, .. } = self.job.apply;
        let patient = for_transactions && underway.has_a_watch();
        let limit = if patient { LONGEST_WAIT.max(desired.lock_timeout) } else { desired.lock_timeout };
        session.batch_execute(&format!("SET lock_timeout = '{}ms'", limit.as_millis()))?;
        underway.patient(self.job.plan.tenant.as_str(), patient);
        Ok(())
    }

    /// What was cancelled for a lock is told as if lock_timeout had done it.
    fn told(&self, error: TenantError) -> TenantError {
        let cancelled = error.sqlstate.as_deref() == Some("57014");
        if cancelled && self.job.apply.underway.gave_up(self.job.plan.tenant.as_str()) {
            return TenantError { sqlstate: Some("55P03".to_owned()), ..error };
        }
        error
    }
}

/// An index that a failed try left invalid would make IF NOT EXISTS skip it forever; REINDEX leaves one under a name of its
/// own for each try (manual, "Rebuilding Indexes Concurrently").
fn drop_invalid(client: &mut Client, schema: &str, file: &MigrationFile) -> Result<(), postgres::Error> {
    let rows = client.ask(
        "SELECT c.relname::text, t.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::text::name AND NOT i.indisvalid ORDER BY c.relname",
        &[&schema],
    )?;
    for row in &rows {
        let (name, table): (String, String) = (row.get(0), row.get(1));
        let of_a_reindex = reindexed(&name).is_some_and(|index| {
            mentions(&file.sql, "REINDEX") && (mentions(&file.sql, index) || mentions(&file.sql, &table))
        });
        if of_a_reindex || mentions(&file.sql, &name) {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified(schema, &name)))?;
        }
    }
    Ok(())
}

/// The index that REINDEX CONCURRENTLY was to rebuild under this name.
fn reindexed(name: &str) -> Option<&str> {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.strip_suffix("_ccnew").or_else(|| name.strip_suffix("_ccold"))
}

/// The name as a word of its own: `users_email` is not `users_email_lower`.
fn mentions(sql: &str, name: &str) -> bool {
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).any(|word| word.eq_ignore_ascii_case(name))
        || sql.contains(&ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_known_by_its_whole_name() {
        assert!(mentions("CREATE INDEX CONCURRENTLY Users_Email ON t (e)", "users_email"));
        assert!(!mentions("CREATE INDEX CONCURRENTLY users_email_lower ON t (e)", "users_email"));
    }

    #[test]
    fn what_a_reindex_leaves_is_known_by_its_ending() {
        assert_eq!(
            ["i_ccnew", "i_ccnew12", "i_ccold", "i_new", "i2"].map(reindexed),
            [Some("i"), Some("i"), Some("i"), None, None]
        );
    }
}
