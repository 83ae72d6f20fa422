//! All tenants, several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use super::attend::attend;
use super::question::Question;
use crate::core::model::{Registered, State, Tenant, TenantKey};
use crate::core::rows::{Answer, Fault, Said};
use crate::engine::login::{Login, Logins};
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

/// Why a tenant is not logged in as.
pub(crate) enum Closed {
    /// It is not meant to be.
    Out(String),
    Failed(Fault),
}

impl Logins<'_> {
    /// As [`Self::of`], for a tenant that is in use.
    pub(crate) fn enter(&self, tenant: &Tenant) -> Result<Login, Closed> {
        let registry = self.observed.registry.as_ref();
        match registry.and_then(|registry| registry.tenants.get(&tenant.key)) {
            None => return Err(Closed::Out("not applied yet".into())),
            Some(Registered { state: State::Active, .. }) => {}
            Some(row) => return Err(Closed::Out(format!("{} and not applied again yet", row.state.as_str()))),
        }
        let login = self
            .of(tenant)
            .map_err(|no| Closed::Failed(Fault { message: no.message, sqlstate: no.sqlstate, hint: None }))?;
        match self.observed.roles.get(login.username()) {
            Some(role) if !role.can_login => {
                Err(Closed::Out(format!("suspended: role {} may not log in", login.username())))
            }
            _ => Ok(login),
        }
    }
}
