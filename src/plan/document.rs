//! The plan as `--format json` prints it.

use serde::{Deserialize, Serialize};

use super::{DatabaseChange, DatabaseIdentity, Hazard, Plan, TenantPlan};
use crate::model::Unseen;

/// How many tenants get which verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub remove: usize,
    pub unchanged: usize,
    pub blocked: usize,
}

/// The JSON document, format version 1.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    pub format_version: &'static str,
    pub database: &'a DatabaseIdentity,
    pub summary: Summary,
    pub database_changes: &'a [DatabaseChange],
    pub hazards: &'a [Hazard],
    pub unseen: &'a [Unseen],
    pub tenants: &'a [TenantPlan],
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
            tenants: &self.tenants,
        }
    }
}
