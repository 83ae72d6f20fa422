//! A tenant that is filled as it is created: there is none yet, and the plan creates it.

use super::error::{Error, Guard, Refusal};
use super::session::Ground;
use crate::core::model::{Observed, Scope, State, Template, TenantKey};
use crate::core::plan::{self, DatabaseAction, EndState, Plan, Verb};

/// Whose guard it is, and the word for what is typed.
pub(super) struct Filling {
    pub guard: Guard,
    pub word: &'static str,
}

impl Filling {
    pub fn refused(&self, message: String, hint: impl Into<String>) -> Error {
        Refusal::new(self.guard.clone(), message, hint).into()
    }

    /// The plan that creates this tenant, with this template whatever tenants.toml says.
    pub fn plan(
        &self,
        ground: &Ground,
        observed: &Observed,
        key: &TenantKey,
        template: Option<Template>,
    ) -> Result<Plan, Error> {
        self.is_not_there(observed, key)?;
        let plan = of_one(ground, observed, key, template);
        self.creates(&plan, key)?;
        Ok(plan)
    }

    fn is_not_there(&self, observed: &Observed, key: &TenantKey) -> Result<(), Error> {
        let word = self.word;
        let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        match row.map(|row| row.state) {
            None => Ok(()),
            Some(State::Removed) => Err(self.refused(
                format!("the former secret of {key} has not been deleted yet"),
                format!("take {key} out of tenants.toml and apply; declare it again, and {word}"),
            )),
            Some(state) => Err(self.refused(
                format!("tenant {key} already exists ({}); nothing was changed", state.as_str()),
                format!("to replace it: take {key} out of tenants.toml and apply; declare it again, and {word}"),
            )),
        }
    }

    pub fn creates(&self, plan: &Plan, key: &TenantKey) -> Result<(), Error> {
        match plan.tenants.iter().find(|planned| planned.tenant == *key) {
            Some(planned) if planned.verb == Verb::Create && matches!(planned.target, EndState::Declared { .. }) => {
                Ok(())
            }
            Some(planned) => Err(Refusal {
                guard: self.guard.clone(),
                message: format!("{key}: {}; nothing was changed", planned.reason.clone().unwrap_or_default()),
                hint: planned.hint.clone(),
            }
            .into()),
            None => Err(self.refused(format!("tenant {key} is not declared"), "add it to tenants.toml")),
        }
    }
}

/// This tenant's plan, with this template whatever tenants.toml says.
pub(super) fn of_one(ground: &Ground, observed: &Observed, key: &TenantKey, template: Option<Template>) -> Plan {
    let mut desired = ground.project.desired.clone();
    if let Some(tenant) = desired.tenants.get_mut(key) {
        tenant.template = template;
    }
    let mut plan = plan::diff(&desired, observed, &|other| other == key);
    // That it is about one tenant is no news to whoever named it; that there are targets is another matter.
    plan.targeting = ground.targeting(observed);
    // Nobody was asked about the rest, which is for apply to show.
    let settles = |action: DatabaseAction| match (&observed.registry, &desired.scope) {
        (None, Scope::Named(_)) => true,
        (Some(registry), Scope::Named(_)) if !registry.is_of_a_file => action.closes_public() || action.makes(),
        _ => action.makes(),
    };
    plan.database_changes.retain(|change| settles(change.action));
    plan
}
