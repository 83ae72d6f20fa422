//! The other half of the two-store commit: the secret, written just before COMMIT, taken back when COMMIT fails.

use secrecy::{ExposeSecret, SecretString};

use super::Apply;
use super::outcome::TenantError;
use super::password;
use crate::database::SslMode;
use crate::model::secret::Secret;
use crate::model::{FormerSecret, RegisteredSecret, SecretFields, Tenant};
use crate::plan::{Password, Step, TenantPlan};
use crate::secrets::{Found, SecretError};

/// The password a plan needs, before the transaction begins.
pub(super) fn resolve(
    apply: &Apply<'_>,
    tenant: &Tenant,
    password: &Password,
) -> Result<Option<SecretString>, TenantError> {
    match password {
        Password::Untouched => Ok(None),
        Password::Given => Ok(tenant.password.clone()),
        Password::Generated => Ok(Some(password::generate(apply.desired.passwords))),
        Password::Stored { path, version } => {
            match apply.store.read(path).map_err(|error| failed("reading", path, &error))? {
                Found::Readable(head, secret) if head.version == *version => Ok(Some(secret.password)),
                _ => Err(TenantError::new(format!("the secret at {path} changed since the plan was made"))
                    .hint("plan again")),
            }
        }
    }
}

pub(super) fn failed(doing: &str, path: &str, error: &SecretError) -> TenantError {
    let mut failure = TenantError::new(format!("{doing} the secret at {path}: {error}"));
    failure.hint = error.hint();
    failure
}

/// What the tenant's secret says, but for the password.
pub(super) fn fields(apply: &Apply<'_>, tenant: &Tenant) -> SecretFields {
    let advertise = &apply.desired.advertise;
    SecretFields {
        username: tenant.username.clone(),
        schema: tenant.schema.clone(),
        host: advertise.host.clone().unwrap_or_else(|| apply.server.host.clone()),
        port: advertise.port.unwrap_or(apply.server.port),
        database: apply.target.database().to_owned(),
    }
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
    tenant: &Tenant,
    password: Option<&SecretString>,
) -> Result<Option<Written>, TenantError> {
    let step = plan.changes.iter().find_map(|change| match &change.step {
        Step::WriteSecret { path, expected } => Some((path, expected)),
        _ => None,
    });
    let Some((path, expected)) = step else { return Ok(None) };
    let Some(password) = password else {
        return Err(TenantError::new("the plan writes a secret and knows no password for it"));
    };
    let before = match expected {
        None => None,
        Some(_) => match apply.store.read(path).map_err(|error| failed("reading", path, &error))? {
            Found::Readable(_, secret) => Some(secret),
            Found::Absent | Found::Foreign { .. } => None,
        },
    };
    let f = fields(apply, tenant);
    // A tenant has not our root certificates at their path; that the line is encrypted it can still ask for.
    let sslmode = (apply.target.sslmode() >= SslMode::Require).then_some(SslMode::Require.as_str());
    let secret = Secret::new(
        tenant.key.as_str(),
        &f.username,
        SecretString::from(password.expose_secret().to_owned()),
        &f.schema,
        &f.host,
        f.port,
        &f.database,
        sslmode,
    );
    let head =
        apply.store.write(path, &secret, expected.as_deref()).map_err(|error| failed("writing", path, &error))?;
    Ok(Some(Written { path: path.clone(), version: head.version, before }))
}

impl Written {
    /// The transaction came to nothing: the store goes back to what it said.
    pub fn take_back(self, apply: &Apply<'_>) -> Result<(), TenantError> {
        let result = match &self.before {
            None => apply.store.delete(&self.path, Some(&self.version)),
            Some(secret) => apply.store.write(&self.path, secret, Some(&self.version)).map(drop),
        };
        result.map_err(|error| failed("taking back", &self.path, &error))
    }
}

/// Deletes what the plan deletes, after COMMIT.
pub(super) fn delete(apply: &Apply<'_>, plan: &TenantPlan) -> Result<(), TenantError> {
    for change in &plan.changes {
        if let Step::DeleteSecret { path, expected } = &change.step {
            apply.store.delete(path, expected.as_deref()).map_err(|error| {
                failed("deleting", path, &error).hint("the database is done; the next apply deletes the secret")
            })?;
        }
    }
    Ok(())
}

/// The secrets that [`delete`] deletes.
pub(super) fn to_delete(apply: &Apply<'_>, plan: &TenantPlan) -> Vec<FormerSecret> {
    let step = |step: &Step| match step {
        Step::DeleteSecret { path, expected: Some(version) } => Some(FormerSecret {
            store: apply.desired.secrets.store.as_str().to_owned(),
            place: apply.desired.secrets.place(),
            path: path.clone(),
            version: version.clone(),
        }),
        _ => None,
    };
    plan.changes.iter().filter_map(|change| step(&change.step)).collect()
}

/// What the registry remembers of the secret.
pub(super) fn registered(apply: &Apply<'_>, tenant: &Tenant, version: Option<String>) -> RegisteredSecret {
    RegisteredSecret {
        store: apply.desired.secrets.store.as_str().to_owned(),
        place: Some(apply.desired.secrets.place()),
        path: tenant.secret_path.clone(),
        version,
        fields: fields(apply, tenant),
    }
}
