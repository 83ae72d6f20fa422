//! What only the registry remembers: `protected` and `on_remove` must hold when the tenant is no longer declared.

use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let Some(row) = draft.registered else { return };
    let tenant = draft.tenant;
    let mut policy = |what: &str, before: &str, after: &str| {
        if before != after {
            draft.changes.push(Change::sql(Kind::SetPolicy, what, Vec::new()).before(before).after(after));
        }
    };
    policy("on_remove", row.on_remove.as_str(), tenant.on_remove.as_str());
    policy("protected", &row.protected.to_string(), &tenant.protected.to_string());
    policy("access", row.access.as_str(), tenant.access.as_str());
}
