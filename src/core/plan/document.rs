//! The plan as `--format json` prints it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::shape;

use super::{DatabaseChange, DatabaseIdentity, Hazard, Plan, Targeting, TenantPlan};
use crate::core::model::Unseen;

/// How many tenants get which verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub remove: usize,
    pub unchanged: usize,
    pub blocked: usize,
}

/// What apply would do, as `--format json` prints it; format version 1.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of tenantry's")]
pub struct Document<'a> {
    pub format_version: &'static str,
    pub database: &'a DatabaseIdentity,
    pub summary: Summary,
    pub database_changes: &'a [DatabaseChange],
    pub hazards: &'a [Hazard],
    pub unseen: &'a [Unseen],
    /// When not every tenant was looked at: this document does not cover the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Targeting>,
    pub tenants: &'a [TenantPlan],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<&'a shape::Report>,
}

impl Plan {
    #[must_use]
    pub fn document(&self) -> Document<'_> {
        Document {
            format_version: "1",
            database: &self.database,
            summary: self.summary(),
            database_changes: &self.database_changes,
            hazards: &self.hazards,
            unseen: &self.unseen,
            targeting: self.targeting,
            tenants: &self.tenants,
            shape: self.shape.as_ref(),
        }
    }
}
