//! All tenants, several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::attend::attend;
use super::question::Question;
use crate::core::model::{Tenant, TenantKey};
use crate::core::rows::{Answer, Said};
use crate::engine::login::{Closed, Logins};
use crate::engine::workers::each_of;

/// What asking needs.
pub struct Query<'a> {
    pub logins: Logins<'a>,
    pub question: &'a Question,
    pub parallelism: usize,
    /// Those that were not begun when it is set are left out; those under way are cancelled.
    pub stop: &'a AtomicBool,
    /// A tenant is logged in as from now on.
    pub begins: &'a (dyn Fn(&TenantKey) + Sync),
    pub progress: &'a (dyn Fn(&Answer) + Sync),
}

impl Query<'_> {
    /// An answer for each tenant, in this order.
    #[must_use]
    pub fn run(&self, tenants: &[&Tenant]) -> Vec<Answer> {
        let (question, of_all) = (Arc::new(self.question.clone()), Arc::new(AtomicUsize::new(0)));
        each_of(tenants, self.parallelism, Some(self.stop), |tenant| {
            (self.begins)(&tenant.key);
            let said = match self.logins.enter(tenant) {
                Err(Closed::Out(why)) => Said::Skipped(why),
                Err(Closed::Failed(fault)) => Said::Failed(fault),
                Ok(login) => match attend(&login.target, &question, &of_all, self.stop) {
                    Ok(rows) => Said::Rows(rows),
                    Err(fault) => Said::Failed(fault),
                },
            };
            let answer = Answer { tenant: tenant.key.clone(), said };
            (self.progress)(&answer);
            answer
        })
    }
}
