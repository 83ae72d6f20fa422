//! Whose passwords are renewed.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::declared;
use super::error::Error;
use super::session::Ground;
use crate::core::model::{Observed, PasswordSource, Rotation, State, Tenant, TenantKey};
use crate::core::plan::{self, Plan};

/// Which tenants get a new password. The targets limit it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// These.
    Named(Vec<String>),
    /// Every tenant whose password does not come from `password_from`.
    All,
    /// Of those, the tenants whose password is at least this old.
    OlderThan(Duration),
    /// Of those, the tenants whose password is older than their `rotate_after`.
    Due,
}

impl Which {
    pub(super) fn names(&self, key: &TenantKey) -> bool {
        match self {
            Self::Named(named) => declared::names(named, key),
            Self::All | Self::OlderThan(_) | Self::Due => true,
        }
    }
}

pub(super) fn must_be_declared(ground: &Ground, which: &Which) -> Result<(), Error> {
    let Which::Named(named) = which else { return Ok(()) };
    let file = ground.file.display().to_string();
    Ok(declared::must_be_declared(&ground.project.desired, &ground.filter, named, &file)?)
}

/// How many tenants are left out, and why.
type LeftOut = (usize, &'static str);

/// `end_old`: of two users, the one that the secret named until then is locked out.
pub(super) fn plan(ground: &Ground, observed: &Observed, which: &Which, end_old: bool) -> (Plan, Vec<LeftOut>) {
    let (mut chosen, mut left_out) = chosen(ground, observed, which);
    if end_old && !matches!(which, Which::Named(_)) {
        let row = |key: &TenantKey| observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        let all = chosen.len();
        chosen.retain(|key| row(key).is_some_and(|row| row.rotation == Rotation::TwoUser));
        left_out.push((all - chosen.len(), "rotation = \"single\" leaves no old user that --end-old could end"));
    }
    let mut plan = plan::rotation(&ground.project.desired, observed, &|key| chosen.contains(key), end_old);
    plan.targeting = ground.targeting(observed);
    (plan, left_out)
}

/// Those that are named, or all that can be rotated.
fn chosen(ground: &Ground, observed: &Observed, which: &Which) -> (BTreeSet<TenantKey>, Vec<LeftOut>) {
    let declared = ground.project.desired.tenants.values().filter(|tenant| ground.filter.selects(&tenant.key));
    let older_than = match which {
        Which::Named(_) => {
            let named = declared.filter(|tenant| which.names(&tenant.key));
            return (named.map(|tenant| tenant.key.clone()).collect(), Vec::new());
        }
        Which::All | Which::Due => None,
        Which::OlderThan(age) => Some(*age),
    };
    let row = |key: &TenantKey| {
        let row = observed.registry.as_ref()?.tenants.get(key)?;
        (row.state == State::Active).then_some(row)
    };
    let (given, others): (Vec<_>, Vec<_>) = declared.partition(|tenant| tenant.password.is_some());
    let (there, absent): (Vec<_>, Vec<_>) = others.into_iter().partition(|tenant| row(&tenant.key).is_some());
    // Programs have it from elsewhere than the secret: whoever changes it names the tenant.
    let is_kept = |key: &TenantKey| row(key).is_some_and(|row| row.password_source == PasswordSource::Kept);
    let (kept, there): (Vec<_>, Vec<_>) = there.into_iter().partition(|tenant| is_kept(&tenant.key));
    let left_out = vec![
        (given.len(), "the password comes from password_from"),
        (kept.len(), "with a password of its own, so by name: tenantry rotate TENANT"),
        (absent.len(), "not set up in this database yet, so first: tenantry apply"),
    ];
    let now = Timestamp::now();
    let is_due = |tenant: &&Tenant| {
        *which != Which::Due || row(&tenant.key).is_some_and(|row| row.password_due(tenant.rotate_after, now).is_some())
    };
    let is_old = |key: &TenantKey| {
        let Some(age) = older_than else { return true };
        // Of a password that was never noted nobody knows that it is young.
        let Some(changed) = row(key).and_then(|row| row.password_changed_at) else { return true };
        SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(changed) >= age)
    };
    (there.into_iter().filter(is_due).map(|tenant| tenant.key.clone()).filter(is_old).collect(), left_out)
}
