//! The plan as it is shown and printed: what each action says, and nothing that apply goes by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{Action, Kind};
use super::hazard::Hazard;
use super::shared_change::DatabaseChange;
use super::statement::Sql;
use super::tenant_plan::{Note, TenantPlan, Verb};
use super::whole::{DatabaseIdentity, Plan, Targeting};
use crate::core::model::{Access, TenantKey, Unseen};
use crate::core::shape;

/// How many tenants get which verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub remove: usize,
    pub unchanged: usize,
    pub blocked: usize,
}

impl Summary {
    /// Every tenant is unchanged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.create + self.update + self.remove + self.blocked == 0
    }

    #[must_use]
    pub fn of(verbs: impl Iterator<Item = Verb>) -> Self {
        verbs.fold(Self::default(), |mut sum, verb| {
            *match verb {
                Verb::Create => &mut sum.create,
                Verb::Update => &mut sum.update,
                Verb::Remove => &mut sum.remove,
                Verb::Unchanged => &mut sum.unchanged,
                Verb::Blocked => &mut sum.blocked,
            } += 1;
            sum
        })
    }
}

/// What apply would do, as `--format json` prints it; format version 1.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of tenantry's")]
pub struct Document {
    pub format_version: &'static str,
    pub database: DatabaseIdentity,
    pub summary: Summary,
    pub database_changes: Vec<DatabaseChange>,
    pub hazards: Vec<Hazard>,
    pub unseen: Vec<Unseen>,
    /// When not every tenant was looked at: this document does not cover the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Targeting>,
    pub tenants: Vec<ShownTenant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<shape::Report>,
}

/// What happens to one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TenantPlan")]
pub struct ShownTenant {
    pub tenant: TenantKey,
    pub verb: Verb,
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub changes: Vec<ShownChange>,
    pub hazards: Vec<Hazard>,
    /// What is left unchanged and a person should know about; not a change by itself.
    pub notes: Vec<Note>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When blocked, what to type next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Of a tenant that is there afterwards; a file does not say it.
    #[serde(skip)]
    pub access: Option<Access>,
}

/// One change of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct ShownChange {
    pub kind: Kind,
    /// The thing changed, such as "role acme_user".
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub sql: Vec<Sql>,
}

#[cfg(test)]
impl ShownChange {
    pub fn sql(kind: Kind, what: impl Into<String>, sql: Vec<String>) -> Self {
        Self { kind, what: what.into(), before: None, after: None, sql: super::statement::statements(sql) }
    }

    pub fn before(mut self, before: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self
    }

    pub fn after(mut self, after: impl Into<String>) -> Self {
        self.after = Some(after.into());
        self
    }
}

impl From<&TenantPlan> for ShownTenant {
    fn from(plan: &TenantPlan) -> Self {
        Self {
            tenant: plan.tenant.clone(),
            verb: plan.verb,
            schema: plan.schema.clone(),
            username: plan.username.clone(),
            owner: plan.owner.clone(),
            changes: plan.shown_changes(),
            hazards: plan.hazards.clone(),
            notes: plan.notes.clone(),
            reason: plan.reason.clone(),
            hint: plan.hint.clone(),
            access: plan.target.delivers().map(|(tenant, _)| tenant.access),
        }
    }
}

impl TenantPlan {
    /// What each of its actions says.
    #[must_use]
    pub fn shown_changes(&self) -> Vec<ShownChange> {
        let shown = |action: &dyn Action| ShownChange {
            kind: action.kind(),
            what: self.what(action),
            before: action.before().map(|before| self.said(before)),
            after: action.after(),
            sql: action.sql(),
        };
        self.phases.actions().into_iter().map(shown).collect()
    }

    /// The thing that the action changes, by the name that a person knows.
    #[must_use]
    pub fn what(&self, action: &dyn Action) -> String {
        self.said(action.what())
    }

    /// A person knows the names as they are, not as they are parked.
    fn said(&self, text: String) -> String {
        self.parked.iter().fold(text, |text, (parked, name)| text.replace(parked, name))
    }
}

impl Plan {
    #[must_use]
    pub fn document(&self) -> Document {
        Document {
            format_version: "1",
            database: self.database.clone(),
            summary: self.summary(),
            database_changes: self.database_changes.clone(),
            hazards: self.hazards.clone(),
            unseen: self.unseen.clone(),
            targeting: self.targeting,
            tenants: self.tenants.iter().map(ShownTenant::from).collect(),
            shape: self.shape.clone(),
        }
    }

    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(self.tenants.iter().map(|tenant| tenant.verb))
    }
}

/// Of nothing.
impl Default for Document {
    fn default() -> Self {
        Plan::default().document()
    }
}

impl Document {
    /// Nothing to do; blocked tenants count as something, and so does what a person must say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let sum = Summary::of(self.tenants.iter().map(|tenant| tenant.verb));
        sum.is_idle() && self.database_changes.is_empty() && !self.hazards.iter().any(Hazard::is_for_a_person)
    }

    /// Nothing to do, and no shape that differs.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.is_empty() && !self.shape.as_ref().is_some_and(shape::Report::differs)
    }

    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.tenants.iter().filter(|tenant| tenant.verb == verb).count()
    }
}
