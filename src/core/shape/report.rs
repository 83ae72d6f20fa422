//! The fleet's shapes, grouped by what differs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Difference;
use crate::core::model::TenantKey;

/// What `drift --deep` found out about the fleet's shapes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Tenants whose shape is what the migrations give.
    pub as_migrated: usize,
    /// Tenants with the same differences, the largest group first.
    pub groups: Vec<Group>,
    /// What tenants created themselves, and partitions: not counted as drift.
    pub made_by_tenants: Vec<OwnObjects>,
    /// Tenants whose shape could not be seen, and why.
    pub unseen: Vec<UnseenShape>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    pub tenants: Vec<TenantKey>,
    pub differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnObjects {
    pub tenant: TenantKey,
    /// Such as "table notes".
    pub objects: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnseenShape {
    pub tenants: Vec<TenantKey>,
    pub reason: String,
}

impl Report {
    /// `found`: each tenant with its differences and the objects not counted as drift. `unseen`: each tenant with the reason.
    #[must_use]
    pub fn new(
        found: impl IntoIterator<Item = (TenantKey, Vec<Difference>, Vec<String>)>,
        unseen: impl IntoIterator<Item = (TenantKey, String)>,
    ) -> Self {
        let mut report = Self::default();
        let mut groups: BTreeMap<Vec<Difference>, Vec<TenantKey>> = BTreeMap::new();
        for (tenant, differences, mut own) in found {
            if differences.is_empty() {
                report.as_migrated += 1;
            } else {
                groups.entry(differences).or_default().push(tenant.clone());
            }
            if !own.is_empty() {
                own.sort();
                report.made_by_tenants.push(OwnObjects { tenant, objects: own });
            }
        }
        report.groups = groups
            .into_iter()
            .map(|(differences, mut tenants)| {
                tenants.sort();
                Group { tenants, differences }
            })
            .collect();
        report.groups.sort_by(|a, b| b.tenants.len().cmp(&a.tenants.len()).then_with(|| a.tenants.cmp(&b.tenants)));
        report.made_by_tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        let mut reasons: BTreeMap<String, Vec<TenantKey>> = BTreeMap::new();
        for (tenant, reason) in unseen {
            reasons.entry(reason).or_default().push(tenant);
        }
        report.unseen = reasons
            .into_iter()
            .map(|(reason, mut tenants)| {
                tenants.sort();
                UnseenShape { tenants, reason }
            })
            .collect();
        report
    }

    /// Some tenant's shape is not what the migrations give.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.groups.is_empty()
    }
}
