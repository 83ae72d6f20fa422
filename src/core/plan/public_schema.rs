//! Whether schema public is closed, and what the tenants' owners need then.

use crate::core::model::{Desired, Observed, PublicSchema};

/// Never closed where somebody else's objects live, unless told to.
pub(super) fn policy(desired: &Desired, observed: &Observed) -> PublicSchema {
    let objects = observed.database.public_schema.as_ref().map_or(0, |public| public.objects);
    desired.public_schema.unwrap_or(if objects == 0 { PublicSchema::Revoke } else { PublicSchema::Keep })
}

/// Whether the tenants' owners have TEMPORARY on the database through a group role of their own: PUBLIC no longer has it, or is
/// about to lose it, and migrations make temporary tables, as REFRESH MATERIALIZED VIEW CONCURRENTLY does. Not where it is
/// not ours to grant.
#[must_use]
pub fn owners_want_temp(desired: &Desired, observed: &Observed) -> bool {
    let (admin, database) = (&observed.server.admin, &observed.database);
    let owns = admin.superuser || admin.owns_database;
    let closes = owns && policy(desired, observed) == PublicSchema::Revoke;
    let has_temp = database.owners_group.as_ref().is_some_and(|group| group.has_temp);
    // Who may not grant it would only be warned, and the next plan say the same.
    (!database.public_has_temp || closes) && (owns || admin.may_grant_temp || has_temp)
}
