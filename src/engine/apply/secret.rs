//! The other half of the two-store commit: the secret, written just before COMMIT, taken back when COMMIT fails.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::context::Apply;
use crate::core::model::secret::{Mark, Secret, fault_of_password};
use crate::core::model::{FormerSecret, RegisteredSecret, SecretFields, Tenant};
use crate::core::plan::action::{DeleteSecret, WriteSecret};
use crate::core::plan::{PasswordOrigin, TenantPlan};
use crate::core::report::TenantError;
use crate::engine::password;
use crate::engine::secrets::{Found, SecretError};

/// What a plan delivers, made or read before the transaction begins.
pub(super) struct Delivery {
    pub password: SecretString,
    /// Keys that others added to the secret that the password was read from.
    others: Map<String, Value>,
}

impl Delivery {
    fn alone(password: SecretString) -> Self {
        Self { password, others: Map::new() }
    }

    /// A new password.
    pub fn generated(apply: &Apply<'_>) -> Self {
        Self::alone(password::generate(apply.desired.passwords))
    }
}

/// The password a plan needs, before the transaction begins.
pub(super) fn resolve(apply: &Apply<'_>, plan: &TenantPlan) -> Result<Option<Delivery>, TenantError> {
    still_there(apply, plan)?;
    let Some((tenant, password)) = plan.target.delivers() else { return Ok(None) };
    match password {
        PasswordOrigin::Untouched | PasswordOrigin::Kept => Ok(None),
        PasswordOrigin::Given => Ok(tenant.password.clone().map(Delivery::alone)),
        PasswordOrigin::Generated => Ok(Some(Delivery::generated(apply))),
        PasswordOrigin::Stored { path, version } => {
            match apply.store.read(path).map_err(|error| failed("reading", path, &error))? {
                Found::Readable(head, secret) if head.version == *version => {
                    if let Some(fault) = fault_of_password(secret.password.expose_secret()) {
                        return Err(TenantError::new(format!("the password in the secret at {path} {fault}"))
                            .hint(format!("put another one there, or generate one: tenantry rotate {}", tenant.key)));
                    }
                    Ok(Some(Delivery { password: secret.password, others: secret.others }))
                }
                _ => Err(changed_since(path)),
            }
        }
    }
}

/// A secret that is switched after COMMIT names the user that the plan saw in it: had somebody made it name the other one meanwhile, a new
/// password of that one's would lock its clients out.
fn still_there(apply: &Apply<'_>, plan: &TenantPlan) -> Result<(), TenantError> {
    let Some(WriteSecret { path, expected, .. }) = plan.phases.switch.as_ref().map(|switch| &switch.secret) else {
        return Ok(());
    };
    match apply.store.read(path).map_err(|error| failed("reading", path, &error))? {
        Found::Readable(head, _) if Some(&head.version) == expected.as_ref() => Ok(()),
        _ => Err(changed_since(path)),
    }
}

fn changed_since(path: &str) -> TenantError {
    TenantError::new(format!("the secret at {path} changed since the plan was made")).hint("plan again")
}

pub(super) fn failed(doing: &str, path: &str, error: &SecretError) -> TenantError {
    let mut failure = TenantError::new(format!("{doing} the secret at {path}: {error}"));
    failure.hint = error.hint();
    failure
}

/// Whose the secret is, and which run wrote it.
fn mark(apply: &Apply<'_>) -> Mark {
    apply.mark.get().cloned().unwrap_or_default()
}

/// A secret that was written and may have to be taken back.
pub(super) struct Written {
    path: String,
    pub version: String,
    before: Option<Secret>,
}

/// Writes the tenant's secret as the plan says, if it says so.
pub(super) fn write(
    apply: &Apply<'_>,
    plan: &TenantPlan,
    delivery: Option<&Delivery>,
) -> Result<Option<Written>, TenantError> {
    plan.phases.secret.as_ref().map(|write| write_as(apply, plan, write, delivery)).transpose()
}

/// Writes this secret of the tenant's.
pub(super) fn write_as(
    apply: &Apply<'_>,
    plan: &TenantPlan,
    write: &WriteSecret,
    delivery: Option<&Delivery>,
) -> Result<Written, TenantError> {
    // For whoever waits for the store.
    apply.underway.doing(plan.tenant.as_str(), &plan.what(write))?;
    let WriteSecret { path, expected, fields, .. } = write;
    let Some(Delivery { password, others }) = delivery else {
        return Err(TenantError::new("the plan writes a secret but has no password for it"));
    };
    let before = match expected {
        None => None,
        Some(_) => match apply.store.read(path).map_err(|error| failed("reading", path, &error))? {
            Found::Readable(_, secret) => Some(secret),
            Found::Absent | Found::Foreign { .. } => None,
        },
    };
    // Check-and-set has the last word: what was added since this was read is not lost, the write fails.
    let others = before.as_ref().map_or(others, |before| &before.others).clone();
    let password = SecretString::from(password.expose_secret().to_owned());
    let secret = Secret::new(plan.tenant.as_str(), fields.clone(), password).with_others(others).with_mark(mark(apply));
    let head =
        apply.store.write(path, &secret, expected.as_deref()).map_err(|error| failed("writing", path, &error))?;
    Ok(Written { path: path.clone(), version: head.version, before })
}

impl Written {
    /// The transaction came to nothing: the store goes back to what it said.
    pub fn take_back(self, apply: &Apply<'_>) -> Result<(), TenantError> {
        let result = match &self.before {
            None => apply.store.delete(&self.path, Some(&self.version)),
            Some(secret) => {
                let secret = secret.clone().with_mark(mark(apply));
                apply.store.write(&self.path, &secret, Some(&self.version)).map(drop)
            }
        };
        result.map_err(|error| failed("taking back", &self.path, &error))
    }
}

/// Deletes what the plan deletes, after COMMIT.
pub(super) fn delete(apply: &Apply<'_>, plan: &TenantPlan) -> Result<(), TenantError> {
    plan.phases.deletes_secrets().try_for_each(|delete| {
        // For whoever waits for the store; it is committed, so that an interrupt keeps nobody from it.
        drop(apply.underway.doing(plan.tenant.as_str(), &plan.what(delete)));
        let DeleteSecret { path, expected } = delete;
        apply.store.delete(path, Some(expected)).map_err(|error| {
            failed("deleting", path, &error).hint("the database part is done; the next apply deletes the secret")
        })
    })
}

/// The secrets that [`delete`] deletes.
pub(super) fn to_delete(apply: &Apply<'_>, plan: &TenantPlan) -> Vec<FormerSecret> {
    let former = |DeleteSecret { path, expected }: &DeleteSecret| FormerSecret {
        store: apply.desired.secrets.store.as_str().to_owned(),
        place: apply.desired.secrets.place(),
        path: path.clone(),
        version: expected.clone(),
    };
    plan.phases.deletes_secrets().map(former).collect()
}

/// What the registry remembers of the secret.
pub(super) fn registered(
    apply: &Apply<'_>,
    tenant: &Tenant,
    fields: &SecretFields,
    version: Option<String>,
) -> RegisteredSecret {
    RegisteredSecret {
        store: apply.desired.secrets.store.as_str().to_owned(),
        place: Some(apply.desired.secrets.place()),
        path: tenant.secret_path.clone(),
        version,
        fields: fields.clone(),
    }
}
