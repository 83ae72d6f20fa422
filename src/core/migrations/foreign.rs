//! How the tools of [`Format`] record what they applied, and which of the files that comes to.
//!
//! Pure: whoever reads the table does so as a tenant's table has to be read (ADR 0002: COPY of these columns, no SELECT), and
//! hands the values over as texts.

use std::collections::BTreeSet;

use super::Version;
use super::file::MigrationFile;
use super::format::{Format, flyway_version};
use super::set::MigrationSet;

/// The values of a tool's columns, in the order in which [`history_of`](super::history_of) names them, as PostgreSQL writes them as
/// text: `t` and `f` for booleans.
pub type Row = Vec<Option<String>>;

/// What a foreign history says is applied already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Of files that are there.
    pub applied: BTreeSet<Version>,
}

impl Baseline {
    /// The highest version that was applied.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.applied.last().copied()
    }

    /// The versions below the highest that were not applied. They are pending, and may come late.
    #[must_use]
    pub fn gaps(&self, set: &MigrationSet) -> Vec<Version> {
        let below = set.iter().map(MigrationFile::version).filter(|version| Some(*version) < self.version());
        below.filter(|version| !self.applied.contains(version)).collect()
    }
}

/// Why a foreign history cannot be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ForeignFault {
    /// A fragment that follows the history's name.
    pub message: String,
    pub hint: String,
}

/// Which of the files were applied, by these rows in any order.
///
/// # Errors
/// A migration that failed half-way, that has no file or another text, that was left out, or that is not told apart.
pub fn baseline(format: Format, set: &MigrationSet, rows: &[Row]) -> Result<Baseline, ForeignFault> {
    let applied = match format {
        Format::Refinery | Format::Diesel | Format::Dbmate => by_version(set, rows, |_| true),
        Format::Sqlx => by_version(set, rows, |row| is_true(row, 1)).and_then(|applied| {
            let mut recorded =
                rows.iter().filter_map(|row| Some((set.get(text(row, 0)?.parse().ok()?)?, text(row, 2))));
            recorded.try_for_each(|(file, sum)| unchanged(file, sum)).map(|()| applied)
        }),
        Format::GolangMigrate => by_last(set, rows),
        Format::Flyway => by_flyway(set, rows),
        Format::Prisma => by_directory(set, rows),
    }?;
    let baseline = Baseline { applied };
    let late = |version: &Version| set.get(*version).is_some_and(MigrationFile::is_versioned);
    match baseline.gaps(set).into_iter().find(late) {
        Some(gap) => Err(ForeignFault {
            message: format!("has later migrations than {}, which was not applied", title(set, gap)),
            hint: format!("apply it with {}, or give its file a version above the last one", format.as_str()),
        }),
        None => Ok(baseline),
    }
}

fn text(row: &Row, column: usize) -> Option<&str> {
    row.get(column).and_then(Option::as_deref)
}

fn is_true(row: &Row, column: usize) -> bool {
    text(row, column) == Some("t")
}

fn title(set: &MigrationSet, version: Version) -> String {
    set.get(version).map_or_else(|| set.format.label(version), |file| file.file.clone())
}

fn failed(what: &str, format: Format) -> ForeignFault {
    ForeignFault {
        message: format!("says that {what} failed, or is being applied"),
        hint: format!("see to the end of it with {}, then adopt", format.as_str()),
    }
}

fn without_file(what: &str) -> ForeignFault {
    ForeignFault {
        message: format!("holds {what}, which has no file"),
        hint: "restore the file: the files must include every migration that was applied".into(),
    }
}

/// The file is what was applied, as far as the tool keeps a checksum.
fn unchanged(file: &MigrationFile, sum: Option<&str>) -> Result<(), ForeignFault> {
    if sum.is_none_or(|sum| file.has_tool_sum(sum)) {
        return Ok(());
    }
    Err(ForeignFault {
        message: format!("has another checksum for {}: the file was changed after it was applied", file.file),
        hint: "restore the file as it was applied".into(),
    })
}

/// A row for each version.
fn by_version(
    set: &MigrationSet,
    rows: &[Row],
    succeeded: impl Fn(&Row) -> bool,
) -> Result<BTreeSet<Version>, ForeignFault> {
    let mut applied = BTreeSet::new();
    for row in rows {
        let said = text(row, 0).unwrap_or_default();
        if !succeeded(row) {
            return Err(failed(said, set.format));
        }
        let version = said.parse().ok().filter(|version| set.get(*version).is_some());
        applied.insert(version.ok_or_else(|| without_file(said))?);
    }
    Ok(applied)
}

/// golang-migrate: one row, with the last version.
fn by_last(set: &MigrationSet, rows: &[Row]) -> Result<BTreeSet<Version>, ForeignFault> {
    let [row] = rows else {
        return if rows.is_empty() {
            Ok(BTreeSet::new())
        } else {
            Err(ForeignFault {
                message: format!("has {} rows, not one", rows.len()),
                hint: "look at it: golang-migrate keeps the last version only".into(),
            })
        };
    };
    let said = text(row, 0).unwrap_or_default();
    if text(row, 1) != Some("f") {
        return Err(failed(said, set.format));
    }
    let last = said.parse().ok().filter(|version| set.get(*version).is_some()).ok_or_else(|| without_file(said))?;
    Ok(set.iter().map(MigrationFile::version).filter(|version| *version <= last).collect())
}

/// Flyway: a row for whatever was done, also for what undid another, and for versions that were there from the first.
fn by_flyway(set: &MigrationSet, rows: &[Row]) -> Result<BTreeSet<Version>, ForeignFault> {
    let rank = |row: &Row| text(row, 0).and_then(|rank| rank.parse::<i64>().ok()).unwrap_or(i64::MAX);
    let mut ordered: Vec<&Row> = rows.iter().collect();
    ordered.sort_by_key(|row| rank(row));
    let mut applied = BTreeSet::new();
    for row in ordered {
        // Without a version: a repeatable migration, or the making of the schema.
        let Some(said) = text(row, 1) else { continue };
        if !is_true(row, 3) {
            return Err(failed(&format!("V{said}"), set.format));
        }
        let version = flyway_version(said).ok();
        let kind = text(row, 2).unwrap_or_default();
        if kind == "BASELINE" || kind == "SQL_BASELINE" {
            let upto = set.iter().map(MigrationFile::version).filter(|file| version.is_some_and(|last| *file <= last));
            applied.extend(upto);
        } else if kind.starts_with("UNDO") || kind == "DELETE" {
            version.map(|version| applied.remove(&version));
        } else {
            let file = version.and_then(|version| set.get(version));
            let file = file.ok_or_else(|| without_file(&format!("V{said} ({kind})")))?;
            unchanged(file, text(row, 4))?;
            applied.insert(file.version());
        }
    }
    Ok(applied)
}

/// Prisma: a row for each attempt, with the directory's name.
fn by_directory(set: &MigrationSet, rows: &[Row]) -> Result<BTreeSet<Version>, ForeignFault> {
    let mut applied = BTreeSet::new();
    for row in rows {
        let name = text(row, 0).unwrap_or_default();
        match (text(row, 1), text(row, 2)) {
            (_, Some(_)) => {}
            (None, None) => return Err(failed(name, set.format)),
            (Some(_), None) => {
                let file = set.iter().find(|file| file.file.strip_suffix("/migration.sql") == Some(name));
                let file = file.ok_or_else(|| without_file(name))?;
                unchanged(file, text(row, 3))?;
                applied.insert(file.version());
            }
        }
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::super::tool_table::history_of;
    use super::*;

    fn set(format: Format, files: &[&str]) -> MigrationSet {
        let sql = if format == Format::Dbmate { "-- migrate:up\n" } else { "" };
        let files = files.iter().map(|file| MigrationFile::read(format, file, sql, None).unwrap()).collect();
        MigrationSet::of(format, "h", files).unwrap()
    }

    fn rows(rows: &[&[&str]]) -> Vec<Row> {
        let value = |value: &&str| (*value != "-").then(|| (*value).to_owned());
        rows.iter().map(|row| row.iter().map(value).collect()).collect()
    }

    fn applied(format: Format, files: &[&str], found: &[&[&str]]) -> Result<Vec<Version>, String> {
        // Without the checksum, which comes last.
        let columns = history_of(format).unwrap().columns.iter().filter(|(name, _)| *name != "checksum").count();
        assert!(found.iter().all(|row| row.len() == columns), "a row has the columns that are read");
        let baseline = baseline(format, &set(format, files), &rows(found)).map_err(|fault| fault.message)?;
        Ok(baseline.applied.into_iter().collect())
    }

    #[test]
    fn a_row_for_each_version() {
        let files = ["1_a.sql", "2_b.sql", "3_c.sql"];
        let sqlx = |found: &[&[&str]]| applied(Format::Sqlx, &files, found);
        assert_eq!(sqlx(&[]), Ok(vec![]));
        assert_eq!(sqlx(&[&["1", "t"], &["3", "t"]]), Ok(vec![1, 3]), "what comes late is pending");
        assert!(sqlx(&[&["1", "t"], &["2", "f"]]).unwrap_err().contains("2 failed"));
        assert!(sqlx(&[&["4", "t"]]).unwrap_err().contains("4, which has no file"));
        assert_eq!(applied(Format::Dbmate, &files, &[&["1"], &["2"]]), Ok(vec![1, 2]));
        let diesel = ["2024-01-01-120000_a/up.sql"];
        assert_eq!(applied(Format::Diesel, &diesel, &[&["20240101120000"]]), Ok(vec![20_240_101_120_000]));
        let set = set(Format::Sqlx, &files);
        let found = baseline(Format::Sqlx, &set, &rows(&[&["1", "t"], &["3", "t"]])).unwrap();
        assert_eq!((found.version(), found.gaps(&set)), (Some(3), vec![2]));
    }

    #[test]
    fn golang_migrate_knows_the_last_version_alone() {
        let found =
            |rows: &[&[&str]]| applied(Format::GolangMigrate, &["1_a.up.sql", "2_b.up.sql", "3_c.up.sql"], rows);
        assert_eq!(found(&[]), Ok(vec![]));
        assert_eq!(found(&[&["2", "f"]]), Ok(vec![1, 2]));
        assert!(found(&[&["2", "t"]]).unwrap_err().contains("2 failed"));
        assert!(found(&[&["7", "f"]]).unwrap_err().contains("no file"));
        assert!(found(&[&["1", "f"], &["2", "f"]]).unwrap_err().contains("2 rows"));
    }

    #[test]
    fn flyway_tells_what_was_undone_and_what_was_there_before() {
        let files = ["V1__a.sql", "V1.1__b.sql", "V2__c.sql"];
        let [one, dotted, two] = ["1", "1.1", "2"].map(|version| flyway_version(version).unwrap());
        let found = |rows: &[&[&str]]| applied(Format::Flyway, &files, rows);
        assert_eq!(found(&[&["2", "1.1", "SQL", "t"], &["1", "1", "SQL", "t"]]), Ok(vec![one, dotted]));
        assert_eq!(found(&[&["1", "1.1", "BASELINE", "t"], &["2", "2", "SQL", "t"]]), Ok(vec![one, dotted, two]));
        let undone: [&[&str]; 3] = [&["1", "1", "SQL", "t"], &["2", "1.1", "SQL", "t"], &["3", "1.1", "UNDO_SQL", "t"]];
        assert_eq!(found(&undone), Ok(vec![one]));
        assert_eq!(found(&[&["1", "-", "SCHEMA", "t"], &["2", "-", "SQL", "t"]]), Ok(vec![]));
        assert!(found(&[&["1", "1", "SQL", "f"]]).unwrap_err().contains("V1 failed"));
        assert!(found(&[&["1", "1", "SQL", "t"], &["2", "2", "SQL", "t"]]).unwrap_err().contains("V1.1__b.sql"));
        assert!(found(&[&["1", "1.5", "JDBC", "t"]]).unwrap_err().contains("V1.5 (JDBC)"));
    }

    #[test]
    fn prisma_has_a_row_for_each_attempt() {
        let found = |rows: &[&[&str]]| applied(Format::Prisma, &["1_a/migration.sql", "2_b/migration.sql"], rows);
        assert_eq!(found(&[&["1_a", "-", "2024-01-01"], &["1_a", "2024-01-02", "-"]]), Ok(vec![1]));
        assert!(found(&[&["1_a", "-", "-"]]).unwrap_err().contains("1_a failed"));
        assert!(found(&[&["9_z", "2024-01-01", "-"]]).unwrap_err().contains("9_z, which has no file"));
    }

    #[test]
    fn a_file_that_was_changed_afterwards_is_told_by_its_checksum() {
        let cases: [(_, _, &[&str]); 3] = [
            (Format::Sqlx, "1_a.sql", &["1", "t"]),
            (Format::Flyway, "V1__a.sql", &["1", "1", "SQL", "t"]),
            (Format::Prisma, "1_a/migration.sql", &["1_a", "2024-01-01", "-"]),
        ];
        for (format, file, row) in cases {
            let set = set(format, &[file]);
            let with = |sum: &str| baseline(format, &set, &rows(&[&[row, &[sum]].concat()]));
            let sum = super::super::tool_sum::sums(format, "").remove(0);
            assert!(with(&sum).is_ok() && with("-").is_ok(), "{format:?}");
            assert!(with("17").unwrap_err().message.contains(&format!("another checksum for {file}")), "{format:?}");
        }
    }
}
