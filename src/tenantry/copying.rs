//! A declared tenant that begins as another one is: what must be so before, and what is planned.

use super::declared;
use super::error::{Error, Guard, Refusal};
use super::session::Ground;
use crate::core::model::{Observed, Registered, State, Template, TenantKey};
use crate::core::plan::{self, EndState, Plan, Verb};

/// Which tenant is made, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// It stays as it is.
    pub from: String,
    /// It is declared, and not there yet.
    pub to: String,
    /// With the rows of `from`; otherwise it has what the migrations create, and nothing else.
    pub data: bool,
}

impl Copying {
    /// Both are declared. Targets limit what is made, not what it is made of.
    pub(super) fn keys(&self, ground: &Ground) -> Result<[TenantKey; 2], Error> {
        let file = ground.file.display().to_string();
        let key = |named: &str| declared::key(&ground.project.desired, named, &file).cloned();
        let (from, to) = (key(&self.from)?, key(&self.to)?);
        if from == to {
            return Err(refused(format!("{to} would be a copy of itself"), "name two tenants of tenants.toml"));
        }
        ground.filter.must_select(&to)?;
        Ok([from, to])
    }
}

/// As if the tenant's template were said in tenants.toml.
pub(super) fn plan(
    ground: &Ground,
    observed: &Observed,
    [from, to]: &[TenantKey; 2],
    data: bool,
) -> Result<Plan, Error> {
    let row = |key: &TenantKey| observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    is_there(from, row(from))?;
    is_not_there(to, row(to))?;
    let mut desired = ground.project.desired.clone();
    if let Some(tenant) = desired.tenants.get_mut(to) {
        tenant.template = Some(Template { tenant: from.clone(), data });
    }
    let mut plan = plan::diff(&desired, observed, &|key| key == to);
    plan.targeting = ground.targeting(observed);
    // Nobody was asked about the rest, which is for apply to show.
    plan.database_changes.retain(|change| change.action.makes());
    match plan.tenants.iter().find(|planned| planned.tenant == *to) {
        Some(planned) if planned.verb == Verb::Create && matches!(planned.target, EndState::Declared { .. }) => {
            Ok(plan)
        }
        Some(planned) => Err(Refusal {
            guard: Guard::Copyable,
            message: format!("{to}: {}; nothing was changed", planned.reason.clone().unwrap_or_default()),
            hint: planned.hint.clone(),
        }
        .into()),
        None => Err(refused(format!("tenant {to} is not declared"), "add it to tenants.toml")),
    }
}

fn is_there(from: &TenantKey, row: Option<&Registered>) -> Result<(), Error> {
    match row.map(|row| row.state) {
        Some(State::Active) => Ok(()),
        Some(state) => Err(refused(
            format!("tenant {from} is {}; nothing was changed", state.as_str()),
            format!("tenantry plan --target {from} says what is wrong"),
        )),
        None => Err(refused(
            format!("tenant {from} has not been created in this database; nothing was changed"),
            format!("tenantry apply --target {from}, and copy then"),
        )),
    }
}

fn is_not_there(to: &TenantKey, row: Option<&Registered>) -> Result<(), Error> {
    match row.map(|row| row.state) {
        None => Ok(()),
        Some(State::Removed) => Err(refused(
            format!("the former secret of {to} has not been deleted yet"),
            format!("take {to} out of tenants.toml and apply; declare it again, and copy"),
        )),
        Some(state) => Err(refused(
            format!("tenant {to} already exists ({}); nothing was changed", state.as_str()),
            format!(
                "a copy fills a tenant that is not there yet; to replace this one: take {to} out of tenants.toml and apply; declare it again, and copy"
            ),
        )),
    }
}

fn refused(message: String, hint: impl Into<String>) -> Error {
    Refusal::new(Guard::Copyable, message, hint).into()
}
