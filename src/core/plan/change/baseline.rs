//! The history of a tenant that is adopted: compared as any, or made where there is none and somebody says how far it is, or
//! another tool's history does.

use super::grants;
use crate::core::migrations::{MigrationFile, history_of};
use crate::core::model::{Adoption, Applied, History, Schema, ToolHistory, ident, qualified};
use crate::core::plan::action::Baseline;
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::tenant_plan::Blocked;

fn is_empty(schema: &Schema) -> bool {
    schema.objects.iter().map(|group| group.count).sum::<i64>() == 0
}

/// Whether it is known which migrations it has. Asked before anything else is, since there is a look to be had for the answer.
///
/// # Errors
/// When nobody says so, and it is not empty.
pub(super) fn is_known(facts: &Facts<'_>, adoption: &Adoption) -> Result<(), Blocked> {
    let Some(schema) = facts.fleet.observed.schemas.get(&facts.tenant.schema) else { return Ok(()) };
    let set = &facts.fleet.desired.migrations;
    if set.is_empty() || is_empty(schema) {
        return Ok(());
    }
    let (key, name, table) = (&facts.tenant.key, &facts.tenant.schema, &set.table);
    match &schema.history {
        History::Read { applied, .. } if applied.is_empty() => Err(Blocked::new(
            format!("schema {name:?} is not empty and its history {table} is: every migration would run again"),
            format!(
                "drop the empty history: DROP TABLE {}.{}; then say how far it is: tenantry adopt {key} --baseline VERSION",
                ident(name),
                ident(table)
            ),
        )),
        History::Absent if adoption.baseline.is_none() => match &adoption.tool_history {
            Some(history) => is_known_by(facts, history),
            None => Err(nobody_says(facts)),
        },
        _ => Ok(()),
    }
}

fn nobody_says(facts: &Facts<'_>) -> Blocked {
    let (key, name, set) = (&facts.tenant.key, &facts.tenant.schema, &facts.fleet.desired.migrations);
    let tables =
        history_of(set.format).map_or_else(|| set.table.clone(), |its| format!("{} or {}", set.table, its.table));
    Blocked::new(
        format!(
            "schema {name:?} is not empty and has no history {tables}: which of the migrations it has is not known"
        ),
        format!("say up to which version, which is then recorded and not run: tenantry adopt {key} --baseline VERSION"),
    )
}

/// Whether another tool's history says it.
///
/// # Errors
/// Why that cannot be taken over.
fn is_known_by(facts: &Facts<'_>, history: &ToolHistory) -> Result<(), Blocked> {
    let set = &facts.fleet.desired.migrations;
    let Some(its) = history_of(set.format) else { return Ok(()) };
    let (key, tool, table) = (&facts.tenant.key, set.format.as_str(), qualified(&facts.tenant.schema, its.table));
    let by_hand = format!("tenantry adopt {key} --baseline VERSION");
    let (why, hint) = match history {
        ToolHistory::Untrusted(why) => (
            format!("cannot be taken for {tool}'s history: {why}"),
            format!("if it is not, say how far the schema is, which is then recorded and not run: {by_hand}"),
        ),
        ToolHistory::Locked(by) => {
            (format!("is locked by {} and could not be read within lock_timeout", by.who), by.hint.clone())
        }
        // The look says so itself.
        ToolHistory::Unseen(_) => return Ok(()),
        ToolHistory::Read(_) => match history.versions(set) {
            Ok(applied) if applied.is_empty() => (
                format!("says that no migration was applied, and there is more in schema {:?}", facts.tenant.schema),
                format!("say how far it is, which is then recorded and not run: {by_hand}"),
            ),
            Ok(_) => return Ok(()),
            Err(fault) => (
                fault.message,
                format!("{}; or say yourself how far it is, which is then recorded and not run: {by_hand}", fault.hint),
            ),
        },
    };
    Err(Blocked::new(format!("{table}, the history that {tool} keeps, {why}"), hint))
}

/// A history for a schema that has none.
pub(in crate::core::plan) fn diff(facts: &mut Facts<'_>, findings: &mut Findings) {
    let (Some(adoption), Some(schema)) = (facts.adoption, &facts.current.schema) else { return };
    let (set, name) = (&facts.fleet.desired.migrations, &facts.tenant.schema);
    if let Some(baseline) = adoption.baseline {
        let why = match &schema.history {
            History::Absent if !is_empty(schema) => None,
            History::Absent => Some("is empty: every migration runs"),
            _ => Some("has a history"),
        };
        if let Some(why) = why {
            let label = set.format.label(baseline);
            return findings
                .note(format!("schema {name}"), format!("{why}, so that the baseline {label} is not needed"));
        }
    }
    let versions = adoption.versions(set);
    if versions.is_empty() {
        return;
    }
    let files: Vec<&MigrationFile> = versions.iter().filter_map(|version| set.get(*version)).collect();
    findings.change(Baseline {
        schema: name.clone(),
        owner: facts.tenant.owner().to_owned(),
        format: set.format,
        files: files.iter().map(|file| file.file.clone()).collect(),
        versions: versions.into_iter().collect(),
        by_tool: adoption.baseline.is_none(),
        readers: grants::readers_of_new_history(facts),
    });
    facts.current.baseline = files.into_iter().map(Applied::of).collect();
}
