//! The history under the name that the registry remembers: another one in tenants.toml would run every migration again.

use crate::core::model::{History, ident, qualified};
use crate::core::plan::action::RenameHistory;
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::tenant_plan::Blocked;

/// Plans the rename of a history that has another name than the configured one, or the note that somebody renamed it.
///
/// # Errors
/// When it cannot be told which table is the history.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let (Some(schema), Some(row)) = (&facts.current.schema, facts.registered) else { return Ok(()) };
    let name = &facts.tenant.schema;
    let want = &facts.fleet.desired.migrations.table;
    let mut rename = |from: &String, was_renamed_by_hand| {
        findings.change(RenameHistory {
            schema: name.clone(),
            from: from.clone(),
            to: want.clone(),
            was_renamed_by_hand,
        });
    };
    match (&schema.history_called, schema.like_history.as_slice()) {
        (Some(have), []) => rename(have, false),
        (Some(have), _) => return Err(both(name, have, want)),
        (None, like) if matches!(schema.history, History::Absent) => {
            return like.first().map_or(Ok(()), |like| Err(elsewhere(facts, like)));
        }
        (None, _) => {
            if let Some(remembered) = row.history_table.as_ref().filter(|remembered| *remembered != want) {
                rename(remembered, true);
            }
        }
    }
    Ok(())
}

fn both(schema: &str, have: &str, want: &str) -> Blocked {
    Blocked::new(
        format!(
            "its history is {have}, [migrations] table says {want:?}, and schema {schema} has a table of that name too"
        ),
        format!(
            "put the name back in tenants.toml; or, if it is meant, move the other away: ALTER TABLE {} RENAME TO …",
            qualified(schema, want)
        ),
    )
}

fn elsewhere(facts: &Facts<'_>, like: &str) -> Blocked {
    let (schema, want) = (&facts.tenant.schema, &facts.fleet.desired.migrations.table);
    Blocked::new(
        format!("there is no history {want}, but {like} looks like one: every migration would run again"),
        format!(
            "if that is its history, set [migrations] table = {like:?}, or: ALTER TABLE {} RENAME TO {}",
            qualified(schema, like),
            ident(want)
        ),
    )
}
