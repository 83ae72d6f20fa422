//! Whether the secrets are this database's to write, and the store the one they were written to.

use crate::core::plan::{Plan, TenantPlan};
use crate::core::words::few;
use crate::engine::error::Error;
use crate::engine::secrets::SecretStore;

/// In a copy of a database that is in use the secrets are the other one's: who logs in there needs them as they are.
///
/// # Errors
/// When the plan writes or deletes secrets, and this may not be the database that they are for.
pub fn check_whose(plan: &Plan) -> Result<(), Error> {
    let writing = || plan.tenants.iter().filter(|tenant| tenant.has_work() && tenant.phases.changes_secrets());
    let Some(doubt) = plan.doubts.first().filter(|_| writing().next().is_some()) else { return Ok(()) };
    let names: Vec<&str> = writing().map(|tenant: &TenantPlan| tenant.tenant.as_str()).collect();
    Err(Error::refused(
        format!("{}; the plan changes secrets ({}); nothing was changed", doubt.detail, few(&names)),
        doubt.hint.clone(),
    ))
}

/// `allowed`: so many tenants may get a new password because their secret is gone.
///
/// # Errors
/// When more are gone than `[secrets] max_missing` says, and than are allowed.
pub fn check_missing(plan: &Plan, store: &dyn SecretStore, allowed: usize) -> Result<(), Error> {
    let Some(missing) = plan.missing.as_ref().filter(|missing| missing.tenants.len() > allowed) else { return Ok(()) };
    Err(Error::refused(
        format!(
            "{}; the first was looked for in {}; nothing was changed",
            missing.in_words(),
            store.locate(&missing.path)
        ),
        format!(
            "check whether that is the right store: its address, namespace, mount and path   if the secrets are lost, new passwords for these tenants: tenantry apply --allow-new-secrets {}",
            missing.tenants.len()
        ),
    ))
}
