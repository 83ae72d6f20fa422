//! Pending migrations, and the histories that block: divergent, missing, out of order, not to be trusted.

use std::collections::BTreeMap;

use super::grants;
use crate::core::migrations::{Format, MigrationFile, MigrationSet, Version, place};
use crate::core::model::{Access, Applied, Distrust, History, ident, qualified};
use crate::core::plan::action::{Change, Migrate};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::phases::AfterCommit;
use crate::core::plan::tenant_plan::{Blocked, TenantPlan};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let set = &facts.fleet.desired.migrations;
    let absent = History::default();
    let history = facts.current.schema.as_ref().map_or(&absent, |schema| &schema.history);
    if let History::Untrusted(why) = history {
        return Err(Blocked::new(
            format!("{}.{} cannot be trusted: {why}", facts.tenant.schema, history_table(facts)),
            hint_for_untrusted(facts, why),
        ));
    }
    if let History::Locked(by) = history {
        let (schema, table) = (&facts.tenant.schema, history_table(facts));
        return Err(Blocked::new(
            format!("{schema}.{table} is locked by {} and could not be read within lock_timeout", by.who),
            by.hint.clone(),
        ));
    }
    if let History::Unseen { .. } = history {
        return Ok(());
    }
    let baseline = &facts.current.baseline;
    let applied = if baseline.is_empty() { history.applied() } else { baseline };
    let pending = pending(set, applied)?;
    if pending.is_empty() {
        return Ok(());
    }
    let tenant = facts.tenant;
    lost_history(facts, findings, history);
    warn_of_files(facts, findings, &pending);
    let mut migrate = Migrate {
        schema: tenant.schema.clone(),
        owner: tenant.owner().to_owned(),
        files: Vec::new(),
        last: None,
        format: set.format,
        transactions: Vec::new(),
        at_once: false,
        new_history: (matches!(history, History::Absent) && baseline.is_empty())
            .then(|| grants::readers_of_new_history(facts)),
    };
    migrate.set_files(set, &pending, facts.major());
    migrate.set_applied(applied);
    findings.change(migrate);
    Ok(())
}

fn warn_of_files(facts: &Facts<'_>, findings: &mut Findings, pending: &[Version]) {
    let files: Vec<&MigrationFile> =
        pending.iter().filter_map(|version| facts.fleet.desired.migrations.get(*version)).collect();
    for warning in files.iter().flat_map(|file| &file.warnings) {
        findings.hazard(HazardKind::MigrationEscapes, place(&warning.file, warning.line) + &warning.message);
    }
    let Some(large) = facts.current.schema.as_ref().map(|schema| &schema.large_tables) else { return };
    for file in files {
        for blocking in file.blocking.iter().filter(|blocking| large.contains(&blocking.table)) {
            let place = place(&file.file, blocking.line);
            findings.hazard(
                HazardKind::BlocksTable,
                format!("{place}on table {}, which is large: {}", blocking.table, blocking.message),
            );
        }
    }
}

/// What the owner has in the schema came from migrations; without their history they run again from the first.
fn lost_history(facts: &Facts<'_>, findings: &mut Findings, history: &History) {
    let owner = facts.tenant.owner();
    let found = facts.current.schema.iter().flat_map(|schema| &schema.objects);
    let objects: i64 = found.filter(|group| group.owner == owner).map(|group| group.count).sum();
    // With access "owner" the tenant may have made them itself, before there was any migration.
    let by_migrations = facts.tenant.access != Access::Owner && objects > 0;
    if facts.registered.is_some() && facts.adoption.is_none() && by_migrations && matches!(history, History::Absent) {
        let table = &facts.fleet.desired.migrations.table;
        findings.hazard(
            HazardKind::DataLost,
            format!("history {table} is gone while the schema holds {objects} objects: every migration runs again, from the first"),
        );
    }
}

/// As it is called now.
fn history_table<'a>(facts: &'a Facts<'_>) -> &'a str {
    let called = facts.current.schema.as_ref().and_then(|schema| schema.history_called.as_ref());
    called.unwrap_or(&facts.fleet.desired.migrations.table)
}

/// What brings the history back under the tenant's owner, when that is what it lacks.
fn hint_for_untrusted(facts: &Facts<'_>, why: &Distrust) -> String {
    let owner = facts.tenant.owner();
    let look = "look at what is there";
    if !why.is_only_anothers {
        return format!("{look}, put the history table back as it was, and plan again");
    }
    let exists = facts.fleet.observed.roles.contains_key(owner);
    let create = if exists { String::new() } else { format!("CREATE ROLE {} NOLOGIN; ", ident(owner)) };
    let table = qualified(&facts.tenant.schema, history_table(facts));
    format!("{look}; if it is this tenant's history: {create}ALTER TABLE {table} OWNER TO {}", ident(owner))
}

/// The plan of a tenant that an archive brings back: of the migrations only those that the archive does not hold yet.
/// `applied` is `None` when what it holds is not known, and found out when it is there. `major`: of the server.
///
/// # Errors
/// Why these files cannot go on from the archive's history, with a hint.
pub fn after_restore(
    plan: &mut TenantPlan,
    set: &MigrationSet,
    applied: Option<&[Applied]>,
    major: i32,
) -> Result<(), Blocked> {
    let pending = applied.map_or(Ok(Vec::new()), |applied| pending(set, applied))?;
    let phases = &mut plan.phases;
    phases.transaction.retain(|change| !pending.is_empty() || !matches!(change, Change::Migrate(_)));
    let mut rights = None;
    phases.after.retain_mut(|after| match after {
        AfterCommit::Migrate(late) => {
            rights = late.rights.take();
            false
        }
        _ => true,
    });
    for change in &mut phases.transaction {
        if let Change::Migrate(migrate) = change {
            migrate.set_files(set, &pending, major);
            migrate.set_applied(applied.unwrap_or_default());
            migrate.new_history = None;
            phases.after.extend(migrate.late(rights.take()).map(AfterCommit::Migrate));
        }
    }
    Ok(())
}

/// The versions to apply, by refinery's rules, whose own check is private and stops at the first fault.
///
/// # Errors
/// Why the files cannot go on from this history.
pub(crate) fn pending(set: &MigrationSet, applied: &[Applied]) -> Result<Vec<Version>, Blocked> {
    let applied: BTreeMap<i64, &Applied> = applied.iter().map(|row| (row.version, row)).collect();
    for (version, row) in &applied {
        let file = set.get(*version);
        if file.is_none_or(|file| file.checksum() != row.checksum)
            && let Some(format) = set.iter().find_map(|file| file.format_of_row(*version, &row.name, &row.checksum))
        {
            return Err(of_another_format(set.format, format));
        }
        match file {
            None => {
                return Err(Blocked::new(
                    format!("migration {} was applied but its file is missing", set.format.title(*version, &row.name)),
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
    for file in set.iter().filter(|file| !applied.contains_key(&file.version())) {
        if file.is_versioned() && current >= file.version() {
            return Err(Blocked::new(
                format!("migration {} is out of order: {} was applied before it", file.file, set.format.label(current)),
                set.format.hint_for_order(),
            ));
        }
        pending.push(file.version());
    }
    Ok(pending)
}

/// `was`: where it can be told which.
fn of_another_format(is: Format, was: Option<Format>) -> Blocked {
    let (was, back) = match was {
        Some(was) => (format!("{:?}", was.as_str()), format!("set format = {:?} again", was.as_str())),
        None => ("another one".to_owned(), "set format back to what it was".to_owned()),
    };
    Blocked::new(
        format!("[migrations] format is {:?}, and its history was written when that was {was}", is.as_str()),
        format!("{back}: a fleet keeps the format that its migrations were first applied in"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::migrations::MigrationFile;

    fn set(files: &[(&str, &str)]) -> MigrationSet {
        let files = files.iter().map(|(name, sql)| MigrationFile::parse(name, sql).unwrap()).collect();
        MigrationSet::new("h", files).unwrap()
    }

    fn applied(set: &MigrationSet, versions: &[Version]) -> Vec<Applied> {
        versions
            .iter()
            .map(|v| set.get(*v).unwrap())
            .map(|f| Applied { version: f.version(), name: f.name().into(), checksum: f.checksum() })
            .collect()
    }

    fn reason(result: Result<Vec<Version>, Blocked>) -> String {
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

    #[test]
    fn a_history_of_another_format_says_so() {
        let of = |format, name: &str| {
            let file = MigrationFile::read(format, name, "CREATE TABLE t ();", None).unwrap();
            MigrationSet::of(format, "h", vec![file]).unwrap()
        };
        let (refinery, sqlx) = (of(Format::Refinery, "V7__a.sql"), of(Format::Sqlx, "7_a.sql"));
        let flyway = of(Format::Flyway, "V7__a.sql");
        let rows = |set: &MigrationSet| set.iter().map(Applied::of).collect::<Vec<_>>();
        let said = |set: &MigrationSet, rows: &[Applied]| reason(pending(set, rows));
        assert!(
            said(&sqlx, &rows(&refinery))
                .ends_with("is \"sqlx\", and its history was written when that was \"refinery\"")
        );
        assert!(said(&flyway, &rows(&refinery)).ends_with("written when that was \"refinery\""));
        for (set, rows) in [(&refinery, rows(&sqlx)), (&sqlx, rows(&flyway)), (&flyway, rows(&sqlx))] {
            assert!(said(set, &rows).ends_with("written when that was another one"), "{}", said(set, &rows));
        }
        let golang = of(Format::GolangMigrate, "7_a.up.sql");
        assert_eq!(pending(&golang, &rows(&sqlx)).unwrap(), [] as [Version; 0], "they come to the same");
    }
}
