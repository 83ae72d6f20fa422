//! The history of a tenant that is adopted: compared as any, or made where there is none and somebody says how far it is.

use super::grants;
use crate::core::migrations::MigrationFile;
use crate::core::model::{Adoption, Applied, History, Schema, ident};
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
        History::Absent if adoption.baseline.is_none() => Err(Blocked::new(
            format!(
                "schema {name:?} is not empty and has no history {table}: which of the migrations it has is not known"
            ),
            format!(
                "say up to which version, which is then recorded and not run: tenantry adopt {key} --baseline VERSION"
            ),
        )),
        _ => Ok(()),
    }
}

/// A history for a schema that has none.
pub(in crate::core::plan) fn diff(facts: &mut Facts<'_>, findings: &mut Findings) {
    let (Some(adoption), Some(schema)) = (facts.adoption, &facts.current.schema) else { return };
    let Some(baseline) = adoption.baseline else { return };
    let (set, name) = (&facts.fleet.desired.migrations, &facts.tenant.schema);
    let note = |why: &str| {
        (format!("schema {name}"), format!("{why}, so that the baseline {} is not needed", set.format.label(baseline)))
    };
    if !matches!(schema.history, History::Absent) {
        let (what, why) = note("has a history");
        return findings.note(what, why);
    }
    if is_empty(schema) {
        let (what, why) = note("is empty: every migration runs");
        return findings.note(what, why);
    }
    let versions = adoption.versions(set);
    let files: Vec<&MigrationFile> = versions.iter().filter_map(|version| set.get(*version)).collect();
    findings.change(Baseline {
        schema: name.clone(),
        owner: facts.tenant.owner().to_owned(),
        format: set.format,
        files: files.iter().map(|file| file.file.clone()).collect(),
        versions: versions.into_iter().collect(),
        readers: grants::readers_of_new_history(facts),
    });
    facts.current.baseline = files.into_iter().map(Applied::of).collect();
}
