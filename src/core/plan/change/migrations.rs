//! Pending migrations, and the histories that block: divergent, missing, out of order, not to be trusted.

use std::collections::BTreeMap;

use super::grants;
use crate::core::migrations::{Begins, MigrationFile, MigrationSet, Transaction, place};
use crate::core::model::{Access, Applied, History, ident, qualified};
use crate::core::plan::tenant::{Blocked, Draft};
use crate::core::plan::{Change, HazardKind, Kind, Step, TenantPlan};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) -> Result<(), Blocked> {
    let set = &draft.look.desired.migrations;
    let history = draft.current.schema.as_ref().map(|schema| schema.history.clone()).unwrap_or_default();
    if let History::Untrusted(why) = &history {
        return Err(Blocked::new(
            format!("{}.{} cannot be trusted: {why}", draft.tenant.schema, history_table(draft)),
            hint_for_untrusted(draft, why),
        ));
    }
    if let History::Locked(by) = &history {
        return Err(Blocked::new(
            format!(
                "{}.{} is locked by {} and could not be read within lock_timeout",
                draft.tenant.schema,
                history_table(draft),
                by.who
            ),
            by.hint.clone(),
        ));
    }
    if let History::Unseen { .. } = &history {
        return Ok(());
    }
    let pending = pending(set, history.applied())?;
    if pending.is_empty() {
        return Ok(());
    }
    let tenant = draft.tenant;
    lost_history(draft, &history);
    let history_sql = match history {
        History::Absent => grants::new_history(draft),
        _ => Vec::new(),
    };
    let files = files_of(set, &pending);
    let sql = in_transactions(set, &pending, draft.look.observed.server.major(), &history_sql);
    let [what, before, after] = words(&files, history.applied());
    for warning in files.iter().flat_map(|file| &file.warnings) {
        let detail = place(&warning.file, warning.line) + &warning.message;
        draft.hazards.push(crate::core::plan::Hazard { kind: HazardKind::MigrationEscapes, detail });
    }
    let large = draft.current.schema.as_ref().map(|schema| &schema.large_tables);
    for (file, blocking) in files.iter().flat_map(|file| file.blocking.iter().map(move |blocking| (file, blocking))) {
        if large.is_some_and(|large| large.contains(&blocking.table)) {
            let place = place(&file.file, blocking.line);
            let detail = format!("{place}on table {}, which is large: {}", blocking.table, blocking.message);
            draft.hazards.push(crate::core::plan::Hazard { kind: HazardKind::BlocksTable, detail });
        }
    }
    let logs_in = files.iter().any(|file| file.no_transaction);
    draft.changes.push(Change::sql(Kind::Migrate, what, sql).before(before).after(after).step(Step::Migrate {
        versions: pending,
        owner: tenant.owner().to_owned(),
        schema: tenant.schema.clone(),
        history_sql,
        logs_in,
    }));
    Ok(())
}

fn files_of<'s>(set: &'s MigrationSet, pending: &[i32]) -> Vec<&'s MigrationFile> {
    pending.iter().filter_map(|version| set.get(*version)).collect()
}

/// What is applied, after which version, and to which.
fn words(files: &[&MigrationFile], applied: &[Applied]) -> [String; 3] {
    let last = applied.last().map(|last| last.version);
    let before = last.map_or("no migration".to_owned(), |last| format!("V{last}"));
    let after = match (files.last(), last) {
        // A U file that comes late: the highest version stays what it is.
        (Some(file), Some(last)) if i64::from(file.version()) < last => {
            format!("V{last}, and U{} before it", file.version())
        }
        (Some(file), _) => format!("V{}", file.version()),
        (None, _) => String::new(),
    };
    let what = match files {
        [one] => format!("migration {}", one.file.trim_end_matches(".sql")),
        many => format!("{} migrations", many.len()),
    };
    [what, before, after]
}

/// The files, as comments, with what does not share the transaction of those before it; the history's own SQL is for the
/// tenant's transaction.
fn in_transactions(set: &MigrationSet, pending: &[i32], major: i32, history_sql: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut history = Some(history_sql);
    for (n, Transaction { versions, begins }) in set.transactions(pending, major).into_iter().enumerate() {
        match begins {
            Begins::Fresh if n == 0 => {}
            Begins::Fresh => lines.push("-- in a transaction of its own:".to_owned()),
            Begins::Outside => {
                lines.extend(history.take().into_iter().flatten().cloned());
                lines.push("-- after COMMIT, outside a transaction, logged in with the owner's rights alone:".to_owned());
            }
            Begins::AfterLabel { file, name } => lines.push(format!(
                "-- after COMMIT, in a transaction of its own: {file} adds a label to {name}, which cannot be used before:"
            )),
        }
        lines.extend(versions.iter().filter_map(|version| set.get(*version)).map(|file| format!("-- {}", file.file)));
        lines.extend(history.take().into_iter().flatten().cloned());
    }
    lines
}

/// What the owner has in the schema came from migrations; without their history they run again from the first.
fn lost_history(draft: &mut Draft<'_>, history: &History) {
    let owner = draft.tenant.owner();
    let found = draft.current.schema.iter().flat_map(|schema| &schema.objects);
    let objects: i64 = found.filter(|group| group.owner == owner).map(|group| group.count).sum();
    // With access "owner" the tenant may have made them itself, before there was any migration.
    let by_migrations = draft.tenant.access != Access::Owner && objects > 0;
    if draft.registered.is_some() && by_migrations && matches!(history, History::Absent) {
        let table = &draft.look.desired.migrations.table;
        draft.hazard(
            HazardKind::DataLost,
            format!("history {table} is gone while the schema holds {objects} objects: every migration runs again, from the first"),
        );
    }
}

/// As it is called now.
fn history_table<'a>(draft: &'a Draft<'_>) -> &'a str {
    let called = draft.current.schema.as_ref().and_then(|schema| schema.history_called.as_ref());
    called.unwrap_or(&draft.look.desired.migrations.table)
}

/// What brings the history back under the tenant's owner, when that is what it lacks.
fn hint_for_untrusted(draft: &Draft<'_>, why: &str) -> String {
    let owner = draft.tenant.owner();
    let look = "look at what is there";
    if !why.starts_with("it belongs to") {
        return format!("{look}, put the history table back as it was, and plan again");
    }
    let exists = draft.look.observed.roles.contains_key(owner);
    let create = if exists { String::new() } else { format!("CREATE ROLE {} NOLOGIN; ", ident(owner)) };
    let table = qualified(&draft.tenant.schema, history_table(draft));
    format!("{look}; if it is this tenant's history: {create}ALTER TABLE {table} OWNER TO {}", ident(owner))
}

/// The plan of a tenant that an archive brings back: of the migrations only those that the archive does not hold yet.
/// `None`: what it holds is not known, and found out when it is there.
///
/// # Errors
/// Why these files cannot go on from the archive's history, with a hint.
pub fn after_restore(
    plan: &mut TenantPlan,
    set: &MigrationSet,
    applied: Option<&[Applied]>,
) -> Result<(), (String, Option<String>)> {
    let pending = applied.map_or(Ok(Vec::new()), |applied| pending(set, applied));
    let pending = pending.map_err(|blocked| (blocked.reason, blocked.hint))?;
    plan.changes.retain(|change| !pending.is_empty() || !matches!(change.step, Step::Migrate { .. }));
    for change in &mut plan.changes {
        if let Step::Migrate { versions, .. } = &mut change.step {
            let files = files_of(set, &pending);
            let [what, before, after] = words(&files, applied.unwrap_or_default());
            (change.what, change.before, change.after) = (what, Some(before), Some(after));
            change.sql = files.iter().map(|file| format!("-- {}", file.file).into()).collect();
            versions.clone_from(&pending);
        }
    }
    Ok(())
}

/// The versions to apply, by refinery's rules, whose own check is private and stops at the first fault.
fn pending(set: &MigrationSet, applied: &[Applied]) -> Result<Vec<i32>, Blocked> {
    let applied: BTreeMap<i64, &Applied> = applied.iter().map(|row| (row.version, row)).collect();
    for (version, row) in &applied {
        let file = i32::try_from(*version).ok().and_then(|version| set.get(version));
        match file {
            None => {
                return Err(Blocked::new(
                    format!("migration V{version}__{} was applied but its file is missing", row.name),
                    "restore the file: the files must include every migration that was applied",
                ));
            }
            Some(file) if file.name() != row.name || file.checksum() != row.checksum => {
                return Err(Blocked::new(
                    format!("migration {} was changed after it was applied (name or checksum differ)", file.file),
                    "restore the file as it was, line endings included, and put the change into a new migration",
                ));
            }
            Some(_) => {}
        }
    }
    let current = applied.keys().next_back().copied().unwrap_or(-1);
    let mut pending = Vec::new();
    for file in set.iter().filter(|file| !applied.contains_key(&i64::from(file.version()))) {
        if file.is_versioned() && current >= i64::from(file.version()) {
            return Err(Blocked::new(
                format!("migration {} is out of order: V{current} was applied before it", file.file),
                "give the file a number above the last one, or begin its name with U if the order does not matter",
            ));
        }
        pending.push(file.version());
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::migrations::MigrationFile;

    fn set(files: &[(&str, &str)]) -> MigrationSet {
        let files = files.iter().map(|(name, sql)| MigrationFile::parse(name, sql).unwrap()).collect();
        MigrationSet::new("h", files).unwrap()
    }

    fn applied(set: &MigrationSet, versions: &[i32]) -> Vec<Applied> {
        versions
            .iter()
            .map(|v| set.get(*v).unwrap())
            .map(|f| Applied { version: f.version().into(), name: f.name().into(), checksum: f.checksum() })
            .collect()
    }

    fn reason(result: Result<Vec<i32>, Blocked>) -> String {
        result.err().map(|blocked| blocked.reason).unwrap_or_default()
    }

    #[test]
    fn pending_follows_refinerys_rules() {
        let full = set(&[("V1__a.sql", "SELECT 1"), ("U2__b.sql", ""), ("V3__c.sql", "")]);
        assert_eq!(pending(&full, &[]).ok(), Some(vec![1, 2, 3]));
        assert_eq!(pending(&full, &applied(&full, &[1, 3])).ok(), Some(vec![2]), "U may come late");
        assert!(reason(pending(&full, &applied(&full, &[3]))).contains("out of order"));
        let changed = set(&[("V1__a.sql", "SELECT 2"), ("U2__b.sql", ""), ("V3__c.sql", "")]);
        assert!(reason(pending(&changed, &applied(&full, &[1]))).contains("was changed"));
        let fewer = set(&[("V1__a.sql", "SELECT 1")]);
        assert!(reason(pending(&fewer, &applied(&full, &[1, 3]))).contains("missing"));
    }
}
