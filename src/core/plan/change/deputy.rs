//! A deputy that a killed archive, restore or migration left behind: a login role with the tenant's rights, whose password nobody knows.

use crate::core::model::{Observed, Registered, ident, literal};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind, Step};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let left_over = draft.registered.and_then(|row| drop(draft.look.observed, row));
    draft.changes.extend(left_over);
}

/// Nothing while whoever made it is still running.
pub(in crate::core::plan) fn drop(observed: &Observed, row: &Registered) -> Option<Change> {
    let name = row.deputy.as_ref().filter(|_| !row.deputy_at_work)?;
    let mut sql = Vec::new();
    if observed.roles.contains_key(name) {
        let user = literal(name);
        sql = vec![
            // pg_dump outlives whoever started it, and so does the building of an index.
            format!(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = {user}"
            ),
            format!("DROP OWNED BY {}", ident(name)),
            format!("DROP ROLE {}", ident(name)),
        ];
    }
    let before = "left over from an archive, a restore or a migration that was interrupted";
    Some(Change::sql(Kind::DropDeputy, format!("role {name}"), sql).before(before).step(Step::DropDeputy))
}
