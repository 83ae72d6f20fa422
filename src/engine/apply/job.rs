//! One tenant's plan being carried out, and what every step of it needs.

use std::cell::RefCell;
use std::path::PathBuf;

use postgres::{Client, SimpleQueryMessage, Transaction};

use super::context::Apply;
use super::failure::database_error;
use super::session::MY_BACKEND;
use crate::core::plan::TenantPlan;
use crate::core::plan::action::BorrowRights;
use crate::core::report::TenantError;
use crate::engine::error::{Error, error_chain};
use crate::engine::registry;

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

    /// The SQL that takes the rights that a removal begins with, and that gives them back; empty for a superuser.
    pub fn borrowed(&self) -> (String, String) {
        let phases = &self.plan.phases;
        let take = phases.rights.as_ref().map(|BorrowRights(rights)| rights.take());
        let give = phases.give_back.as_ref().map(|give| give.rights.give(&give.dropped));
        (take.unwrap_or_default().join("; "), give.unwrap_or_default().join("; "))
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
                TenantError { message: format!("{doing}: {}", error_chain(other)), sqlstate: None, hint: other.hint() }
            }
        }
    }
}
