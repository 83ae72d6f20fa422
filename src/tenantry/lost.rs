//! Tenants that tenantry made and that no row of the registry names.

use super::session::Ground;
use crate::core::model::{Observed, TenantKey};
use crate::core::words::{count, few};
use crate::engine::registry;

/// Of the tenants that `selects` takes those that are lost, in words. `None`: there are none, as usual.
pub(super) fn lost(ground: &Ground, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Option<String> {
    let selects = |key: &TenantKey| ground.filter.selects(key) && selects(key);
    // One of an older form says what it lacks when it is written to.
    let lost = registry::recover(&ground.project.desired, observed, &selects).ok()?.tenants;
    let names: Vec<&str> = lost.iter().map(TenantKey::as_str).collect();
    let which = if names.len() == 1 { "it" } else { "them" };
    (!names.is_empty()).then(|| {
        let (how_many, named) = (count(names.len(), "tenant"), few(&names));
        format!("{how_many}: no row in schema tenantry names {which}, and tenantry created {which}: {named}")
    })
}
