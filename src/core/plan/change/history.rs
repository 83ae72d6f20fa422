//! The history under the name that the registry remembers: another one in tenants.toml would run every migration again.

use crate::core::model::{History, ident, qualified};
use crate::core::plan::tenant::{Blocked, Draft};
use crate::core::plan::{Change, Kind};

/// Plans the rename of a history that has another name than the configured one, or the note that somebody renamed it.
///
/// # Errors
/// When it cannot be told which table is the history.
pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) -> Result<(), Blocked> {
    let (Some(schema), Some(row)) = (&draft.current.schema, draft.registered) else { return Ok(()) };
    let name = &draft.tenant.schema;
    let want = &draft.look.desired.migrations.table;
    let change = |from: &str, sql| {
        Change::sql(Kind::RenameHistory, format!("history {from}"), sql).before(from).after(want.clone())
    };
    let planned = match (&schema.history_called, schema.like_history.as_slice()) {
        (Some(have), []) => {
            change(have, vec![format!("ALTER TABLE {} RENAME TO {}", qualified(name, have), ident(want))])
        }
        (Some(have), _) => return Err(both(name, have, want)),
        (None, like) if matches!(schema.history, History::Absent) => {
            return like.first().map_or(Ok(()), |like| Err(elsewhere(draft, like)));
        }
        (None, _) => match &row.history_table {
            Some(remembered) if remembered != want => change(remembered, Vec::new()),
            _ => return Ok(()),
        },
    };
    draft.changes.push(planned);
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

fn elsewhere(draft: &Draft<'_>, like: &str) -> Blocked {
    let (schema, want) = (&draft.tenant.schema, &draft.look.desired.migrations.table);
    Blocked::new(
        format!("there is no history {want}, but {like} looks like one: every migration would run again"),
        format!(
            "if that is its history, set [migrations] table = {like:?}, or: ALTER TABLE {} RENAME TO {}",
            qualified(schema, like),
            ident(want)
        ),
    )
}
