//! A plan in a file: `plan --out FILE`, `apply FILE`, `show FILE`.
//!
//! The file is bound to the cluster, the database, the configuration and what was observed of each tenant it touches.
//! Apply looks again and plans again; it goes on only when that comes to the very plan that was saved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::diff::Look;
use super::{DatabaseChange, DatabaseIdentity, Hazard, Plan, TenantPlan};
use crate::model::{Desired, Observed, TenantKey, Unseen};

const FORMAT: &str = "1";

/// The file. Holds no secret: a plan has none, and the digests are of what a plan may show.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    format_version: String,
    tenantry_version: String,
    /// Of `tenants.toml` and the migrations, as they were read.
    configuration: String,
    /// `--target`, as it was given.
    targets: Vec<String>,
    database: DatabaseIdentity,
    summary: super::Summary,
    database_changes: Vec<DatabaseChange>,
    hazards: Vec<Hazard>,
    unseen: Vec<Unseen>,
    tenants: Vec<TenantPlan>,
    /// What was observed of each tenant with work, as a digest.
    observed: BTreeMap<TenantKey, String>,
    /// Of everything above: tells a file that was cut off or edited. It is no signature: what a plan may do is decided
    /// by planning again.
    digest: String,
}

/// Why a file is no saved plan of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("it is not a saved plan: {0}")]
    NotAPlan(String),
    #[error("it was saved by tenantry {0}, and this is {this}", this = env!("CARGO_PKG_VERSION"))]
    OtherVersion(String),
    #[error("it was changed since it was saved")]
    Changed,
}

/// Why a saved plan is not what would be applied now.
#[derive(Debug, PartialEq, Eq)]
pub enum Stale {
    /// Another cluster or another database.
    Database {
        saved: String,
        now: String,
    },
    Configuration,
    /// What tenants share moved.
    Shared,
    /// This tenant moved, and how.
    Tenant {
        tenant: TenantKey,
        what: String,
    },
}

impl Saved {
    #[must_use]
    pub fn new(plan: &Plan, desired: &Desired, observed: &Observed, configuration: &str, targets: &[String]) -> Self {
        let look = Look::new(desired, observed);
        let work = plan.tenants.iter().filter(|tenant| tenant.has_work());
        let mut saved = Self {
            format_version: FORMAT.into(),
            tenantry_version: env!("CARGO_PKG_VERSION").into(),
            configuration: configuration.into(),
            targets: targets.to_vec(),
            database: plan.database.clone(),
            summary: plan.summary(),
            database_changes: plan.database_changes.clone(),
            hazards: plan.hazards.clone(),
            unseen: plan.unseen.clone(),
            tenants: plan.tenants.clone(),
            observed: work.map(|tenant| (tenant.tenant.clone(), fingerprint(&look, tenant))).collect(),
            digest: String::new(),
        };
        saved.digest = saved.digest_of_the_rest();
        saved
    }

    /// # Errors
    /// When the text is no plan that this version saved.
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let saved: Self = serde_json::from_str(text).map_err(|error| ReadError::NotAPlan(error.to_string()))?;
        if saved.tenantry_version != env!("CARGO_PKG_VERSION") || saved.format_version != FORMAT {
            return Err(ReadError::OtherVersion(saved.tenantry_version));
        }
        if saved.digest != saved.digest_of_the_rest() {
            return Err(ReadError::Changed);
        }
        Ok(saved)
    }

    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The `--target` it was made with.
    #[must_use]
    pub fn targets(&self) -> &[String] {
        &self.targets
    }

    /// The plan for showing; it cannot be applied, because it does not know its own steps.
    #[must_use]
    pub fn into_plan(self) -> Plan {
        Plan {
            database: self.database,
            database_changes: self.database_changes,
            hazards: self.hazards,
            unseen: self.unseen,
            tenants: self.tenants,
        }
    }

    /// The part of the plan made now that is the saved one.
    ///
    /// # Errors
    /// Everything that moved since.
    pub fn narrow(
        &self,
        now: Plan,
        desired: &Desired,
        observed: &Observed,
        configuration: &str,
    ) -> Result<Plan, Vec<Stale>> {
        let identity = |database: &DatabaseIdentity| (database.name.clone(), database.system_identifier.clone());
        if identity(&self.database) != identity(&now.database) {
            let words = |d: &DatabaseIdentity| format!("{} on {} (cluster {})", d.name, d.host, d.system_identifier);
            return Err(vec![Stale::Database { saved: words(&self.database), now: words(&now.database) }]);
        }
        let mut stale = Vec::new();
        if self.configuration != configuration {
            stale.push(Stale::Configuration);
        }
        if self.database_changes != now.database_changes {
            stale.push(Stale::Shared);
        }
        let look = Look::new(desired, observed);
        let current: BTreeMap<&TenantKey, &TenantPlan> =
            now.tenants.iter().map(|tenant| (&tenant.tenant, tenant)).collect();
        for saved in self.tenants.iter().filter(|tenant| tenant.has_work()) {
            if let Some(what) =
                moved(saved, current.get(&saved.tenant).copied(), self.observed.get(&saved.tenant), &look)
            {
                stale.push(Stale::Tenant { tenant: saved.tenant.clone(), what });
            }
        }
        if !stale.is_empty() {
            return Err(stale);
        }
        let tenants = now.tenants.into_iter().filter(|tenant| self.observed.contains_key(&tenant.tenant)).collect();
        Ok(Plan { tenants, ..now })
    }

    fn digest_of_the_rest(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.remove("digest");
        }
        digest(&value.to_string())
    }
}

/// What moved, in a few words; `None` when nothing did.
fn moved(saved: &TenantPlan, now: Option<&TenantPlan>, observed: Option<&String>, look: &Look<'_>) -> Option<String> {
    let Some(now) = now else { return Some("it is neither declared nor registered any more".into()) };
    if !now.has_work() {
        let state = if now.reason.is_some() { "it is blocked now" } else { "there is nothing to do any more" };
        return Some(state.into());
    }
    let shown = |plan: &TenantPlan| serde_json::to_value(plan).unwrap_or_default();
    if shown(saved) != shown(now) {
        let lines = |plan: &TenantPlan| -> Vec<String> {
            let words = |text: &Option<String>| text.clone().unwrap_or_default();
            plan.changes.iter().map(|c| format!("{}: {} → {}", c.what, words(&c.before), words(&c.after))).collect()
        };
        let (before, after) = (lines(saved), lines(now));
        let gone = before.iter().find(|line| !after.contains(line)).map(|line| format!("no longer {line}"));
        let new = after.iter().find(|line| !before.contains(line)).map(|line| format!("now {line}"));
        let parts: Vec<String> = [gone, new].into_iter().flatten().collect();
        return Some(if parts.is_empty() { "its statements differ".into() } else { parts.join("; ") });
    }
    (observed != Some(&fingerprint(look, now))).then(|| "its roles, schema or secret moved".into())
}

/// All that was observed of a tenant. Sizes change by themselves and are left out.
fn fingerprint(look: &Look<'_>, plan: &TenantPlan) -> String {
    let observed = look.observed;
    let row = look.registered_tenant(&plan.tenant);
    let names = |now: &str, before: Option<&String>| {
        [Some(now.to_owned()), before.cloned()].into_iter().flatten().collect::<Vec<_>>()
    };
    let roles: Vec<_> = names(&plan.username, row.map(|r| &r.username))
        .into_iter()
        .chain(names(&plan.owner, row.map(|r| &r.owner)))
        .map(|name| observed.roles.get(&name))
        .collect();
    let schemas: Vec<_> = names(&plan.schema, row.map(|r| &r.schema))
        .into_iter()
        .map(|name| {
            observed.schemas.get(&name).cloned().map(|mut schema| {
                schema.bytes = 0;
                schema
            })
        })
        .collect();
    let path = look.desired.tenants.get(&plan.tenant).map(|tenant| tenant.secret_path.clone());
    let secrets: Vec<_> = [path, row.map(|row| row.secret.path.clone())]
        .into_iter()
        .flatten()
        .map(|path| observed.secrets.get(&path))
        .collect();
    digest(&format!("{row:?}{roles:?}{schemas:?}{secrets:?}"))
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn digest(text: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
