//! The names of the group roles.

use crate::core::digest::digest;
use crate::core::model::MAX_NAME_BYTES;

/// Roles are the cluster's, so the group role's name says which database it serves.
#[must_use]
pub fn group_role(database: &str) -> String {
    group_of(database, "tenants")
}

/// The group role of the roles that own for the tenants.
#[must_use]
pub fn owners_role(database: &str) -> String {
    group_of(database, "owners")
}

fn group_of(database: &str, whose: &str) -> String {
    let name = format!("tenantry_{database}_{whose}");
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    // Cut, and told apart from another database whose name begins the same.
    let digest = &digest(database)[..8];
    let mut cut = database;
    while "tenantry___".len() + whose.len() + digest.len() + cut.len() > MAX_NAME_BYTES {
        let last = cut.char_indices().next_back().map_or(0, |(at, _)| at);
        cut = &cut[..last];
    }
    format!("tenantry_{cut}_{digest}_{whose}")
}
