//! A declared tenant that begins as another one is: what must be so before, and what is planned.

use super::creation::Filling;
use super::declared;
use super::error::{Error, Guard};
use super::session::Ground;
use crate::core::model::{Observed, State, Template, TenantKey};
use crate::core::plan::Plan;

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
            return Err(COPYING.refused(format!("{to} would be a copy of itself"), "name two tenants of tenants.toml"));
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
    let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(from));
    match row.map(|row| row.state) {
        Some(State::Active) => {}
        Some(state) => {
            return Err(COPYING.refused(
                format!("tenant {from} is {}; nothing was changed", state.as_str()),
                format!("tenantry plan --target {from} says what is wrong"),
            ));
        }
        None => {
            return Err(COPYING.refused(
                format!("tenant {from} has not been created in this database; nothing was changed"),
                format!("tenantry apply --target {from}, and copy then"),
            ));
        }
    }
    COPYING.plan(ground, observed, to, Some(Template { tenant: from.clone(), data }))
}

const COPYING: Filling = Filling { guard: Guard::Copyable, word: "copy" };
