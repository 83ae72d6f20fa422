//! A plan in a file: `plan --out FILE`, `apply FILE`, `show FILE`.
//!
//! The file is bound to the cluster, the database, the configuration and what was observed of each tenant it touches.
//! Apply reads and plans again; it continues only if the result is exactly the plan that was saved, and carries out
//! its own: no statement of the file is ever run.

mod moved;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::document::{Document, ShownTenant, Summary};
use super::fleet::Fleet;
use super::hazard::Hazard;
use super::shared_change::DatabaseChange;
use super::tenant_plan::TenantPlan;
use super::whole::{DatabaseIdentity, Plan, Targeting};
use crate::core::digest::digest;
use crate::core::model::{Desired, Observed, TenantKey, Unseen};
use moved::{Parts, difference, moved, parts};

const FORMAT: &str = "1";

/// The file. Holds no secret: a plan has none, and the digests are of what a plan may show.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SavedPlan")]
pub struct Saved {
    format_version: String,
    tenantry_version: String,
    /// Of `tenants.toml` and the migrations, as they were read.
    configuration: String,
    /// `--target`, as it was given.
    targets: Vec<String>,
    /// `--deep`: what it found is part of the plan.
    deep: bool,
    /// `--moved`: apply needs it too.
    moved: bool,
    database: DatabaseIdentity,
    summary: Summary,
    database_changes: Vec<DatabaseChange>,
    hazards: Vec<Hazard>,
    unseen: Vec<Unseen>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    targeting: Option<Targeting>,
    tenants: Vec<ShownTenant>,
    /// What was observed of each tenant with work: a digest of each part, by the part's name.
    observed: BTreeMap<TenantKey, Parts>,
    /// Of everything above: detects a file that was edited or damaged. It is not a signature, and need not be one: apply runs
    /// the statements of the plan it makes itself, and none from the file.
    digest: String,
}

/// Why a file is not a saved plan of ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("it is not a saved plan, or only part of one: {0}")]
    NotAPlan(String),
    #[error("it is the output of --format json, not a saved plan")]
    Document,
    #[error("it has format {0:?}, but this version of tenantry reads {FORMAT:?}")]
    OtherFormat(String),
    #[error("it was saved by tenantry {0:?}, but this is {this:?}", this = env!("CARGO_PKG_VERSION"))]
    OtherVersion(String),
    #[error("it was changed since it was saved")]
    Changed,
}

/// Why a saved plan is not what would be applied now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Another cluster or another database.
    Database {
        saved: String,
        now: String,
    },
    Configuration,
    /// What tenants share moved, and how.
    Shared {
        what: String,
    },
    /// This tenant moved, and how.
    Tenant {
        tenant: TenantKey,
        what: String,
    },
}

impl Saved {
    /// `look_at`: `--target` as it was given, and whether `--deep` was.
    #[must_use]
    pub fn new(
        plan: &Plan,
        desired: &Desired,
        observed: &Observed,
        configuration: &str,
        look_at: (&[String], bool),
    ) -> Self {
        let (targets, deep) = look_at;
        let fleet = Fleet::new(desired, observed);
        let work = plan.tenants.iter().filter(|tenant| tenant.has_work());
        let mut saved = Self {
            format_version: FORMAT.into(),
            tenantry_version: env!("CARGO_PKG_VERSION").into(),
            configuration: configuration.into(),
            targets: targets.to_vec(),
            deep,
            moved: observed.moved,
            database: plan.database.clone(),
            summary: plan.summary(),
            database_changes: plan.database_changes.clone(),
            hazards: plan.hazards.clone(),
            unseen: plan.unseen.clone(),
            targeting: plan.targeting,
            tenants: plan.tenants.iter().map(ShownTenant::from).collect(),
            observed: work.map(|tenant| (tenant.tenant.clone(), parts(&fleet, tenant))).collect(),
            digest: String::new(),
        };
        saved.digest = digest_without_itself(&mut serde_json::to_value(&saved).unwrap_or_default());
        saved
    }

    /// # Errors
    /// When this is no plan that this version saved, byte for byte but for white space.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let not_a_plan = |error: serde_json::Error| ReadError::NotAPlan(error.to_string());
        let mut value: Value = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text(&value, "format_version"), text(&value, "tenantry_version")) {
            (None, _) => return Err(ReadError::NotAPlan("there is no format_version".into())),
            (Some(_), None) => return Err(ReadError::Document),
            (Some(format), _) if format != FORMAT => return Err(ReadError::OtherFormat(format)),
            (_, Some(version)) if version != env!("CARGO_PKG_VERSION") => return Err(ReadError::OtherVersion(version)),
            _ => {}
        }
        let digest = digest_without_itself(&mut value);
        // Once more as its own type, which takes no field twice, and writes none that it does not know.
        let saved: Self = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        let written = digest_without_itself(&mut serde_json::to_value(&saved).unwrap_or_default());
        if saved.digest != digest || saved.digest != written { Err(ReadError::Changed) } else { Ok(saved) }
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

    /// Whether it was made with `--deep`.
    #[must_use]
    pub fn deep(&self) -> bool {
        self.deep
    }

    /// Whether it was made with `--moved`.
    #[must_use]
    pub fn moved(&self) -> bool {
        self.moved
    }

    /// The plan for showing: it cannot be applied, because a file does not hold what apply goes by.
    #[must_use]
    pub fn into_document(self) -> Document {
        Document {
            format_version: "1",
            database: self.database,
            summary: self.summary,
            database_changes: self.database_changes,
            hazards: self.hazards,
            unseen: self.unseen,
            targeting: self.targeting,
            tenants: self.tenants,
            shape: None,
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
        // As shown: what a file does not hold cannot differ.
        let shown = |changes: &[DatabaseChange]| serde_json::to_value(changes).unwrap_or_default();
        if shown(&self.database_changes) != shown(&now.database_changes) || self.hazards != now.hazards {
            let lines = |changes: &[DatabaseChange], hazards: &[Hazard]| {
                let details = changes.iter().map(|change| &change.detail);
                details.chain(hazards.iter().map(|hazard| &hazard.detail)).cloned().collect()
            };
            let before = lines(&self.database_changes, &self.hazards);
            stale.push(Stale::Shared { what: difference(before, lines(&now.database_changes, &now.hazards)) });
        }
        let fleet = Fleet::new(desired, observed);
        let current: BTreeMap<&TenantKey, &TenantPlan> =
            now.tenants.iter().map(|tenant| (&tenant.tenant, tenant)).collect();
        for saved in self.tenants.iter().filter(|tenant| tenant.verb.is_work()) {
            let now = current.get(&saved.tenant).copied();
            if let Some(what) = moved(saved, now, self.observed.get(&saved.tenant), &fleet) {
                stale.push(Stale::Tenant { tenant: saved.tenant.clone(), what });
            }
        }
        if !stale.is_empty() {
            return Err(stale);
        }
        // Those without work in both are still counted and told; one that got work since is none of this plan's.
        let before: BTreeMap<&TenantKey, &ShownTenant> =
            self.tenants.iter().map(|saved| (&saved.tenant, saved)).collect();
        let same = |now: &TenantPlan| before.get(&now.tenant).is_some_and(|saved| saved.verb == now.verb);
        Ok(Plan { tenants: now.tenants.into_iter().filter(same).collect(), ..now })
    }
}

/// Of the file as it is written: a field that is not ours is a change too.
fn digest_without_itself(file: &mut Value) -> String {
    if let Some(object) = file.as_object_mut() {
        object.shift_remove("digest");
    }
    digest(&file.to_string())
}
