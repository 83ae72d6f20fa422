//! Flyway: `V<version>__<description>.sql`, in any directory below, in the order of the versions; what was merged late is refused,
//! as Flyway does unless told otherwise. `<file>.sql.conf` may take a file out of its transaction; so does Flyway itself where a file
//! holds nothing but what needs that (<https://documentation.red-gate.com/fd>: Migrations, Script Configuration Files).
//!
//! Repeatable migrations and callbacks are faults: histories have a row for each version, and a schema without what those make is
//! not the one that the application was written for.

pub(super) mod version;

use std::sync::LazyLock;

use regex::Regex;

use super::parts::{Content, Named, Outside, Role, is_sql};
use crate::core::migrations::lint::MigrationFault;
use crate::core::migrations::names::Misnamed;

const NAME: &str = "name it V<version>__<description>.sql, such as V1.1__create_users.sql, with two underscores";
const ELSEWHERE: &str = "write it as a versioned migration; or move it into a directory of its own, beside [migrations] dir in flyway.locations";

#[allow(clippy::unwrap_used, reason = "constants, compiled by the tests below")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static MIGRATION: LazyLock<Regex> = LazyLock::new(|| regex(r"^([VUB])(\d+(?:[._]\d+)*?)__(.+)\.sql$"));
static CODE: LazyLock<Regex> = LazyLock::new(|| regex(r"^([VUB]\d[\d._]*|R)__.*\.(java|class|kt|groovy|scala|jar)$"));
static CALLBACK: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^((before|after)[A-Z][A-Za-z]*|createSchema)(__.*)?\.\w+$"));
/// What was meant for a migration.
static MEANT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^([VUB]?\d|R__).*\.sql$"));
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| regex(r"\$\{[^}\n]+\}"));

pub(super) fn role(path: &str) -> Role {
    let name = path.rsplit('/').next().unwrap_or(path);
    let refused = |message: &str, hint: &str| Role::Fault(Misnamed { message: message.into(), hint: hint.into() });
    if let Some(named) = MIGRATION.captures(name) {
        let version = match version::number(&named[2]) {
            Ok(version) => version,
            Err(misnamed) => return Role::Fault(misnamed),
        };
        return match &named[1] {
            "U" => Role::NotRun(Some("an undo migration")),
            "B" => Role::NotRun(Some("a baseline migration: the versioned ones run, from the first")),
            _ => Role::Migration(Named {
                version,
                name: named[3].to_owned(),
                may_come_late: false,
                settings: Some(format!("{path}.conf")),
            }),
        };
    }
    if name.ends_with(".sql.conf") {
        return Role::Settings;
    }
    if name.starts_with("R__") && name.ends_with(".sql") {
        return refused("is a repeatable migration, of which a history has no row", ELSEWHERE);
    }
    if CALLBACK.is_match(name) {
        return refused("is a callback, which Flyway runs and tenantry does not", ELSEWHERE);
    }
    if CODE.is_match(name) {
        return refused(
            "is a migration in another language, which only the program it belongs to can run",
            "write it in SQL",
        );
    }
    if MEANT.is_match(name) {
        return refused("is not named as Flyway names migrations, and Flyway would skip it", NAME);
    }
    Role::NotRun(is_sql(name).then_some("not named as a migration"))
}

/// What a `.conf` beside a file says of it.
struct Script {
    in_transaction: bool,
    has_placeholders: bool,
}

fn script(path: &str, conf: &str) -> Result<Script, Vec<MigrationFault>> {
    let mut script = Script { in_transaction: true, has_placeholders: true };
    let mut faults = Vec::new();
    for (n, line) in conf.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim().trim_start_matches("flyway."), value.trim());
        match (key, value.to_ascii_lowercase().as_str()) {
            ("executeInTransaction", said @ ("true" | "false")) => script.in_transaction = said == "true",
            ("placeholderReplacement", said @ ("true" | "false")) => script.has_placeholders = said == "true",
            ("encoding", "utf-8" | "utf8") => {}
            _ => faults.push(MigrationFault {
                file: format!("{path}.conf"),
                line: Some(n + 1),
                message: format!("says {key}, which tenantry cannot do as Flyway does"),
                hint: Some(
                    "executeInTransaction and placeholderReplacement, true or false, are what it understands".into(),
                ),
            }),
        }
    }
    if faults.is_empty() { Ok(script) } else { Err(faults) }
}

pub(super) fn content<'a>(
    path: &str,
    sql: &'a str,
    settings: Option<&str>,
) -> Result<Content<'a>, Vec<MigrationFault>> {
    let script = script(path, settings.unwrap_or_default())?;
    if script.has_placeholders {
        let lines = sql.lines().enumerate();
        let found = lines.filter_map(|(n, line)| Some((n + 1, PLACEHOLDER.find(line)?.as_str())));
        let faults: Vec<MigrationFault> = found
            .map(|(line, placeholder)| MigrationFault {
                file: path.to_owned(),
                line: Some(line),
                message: format!("holds {placeholder}, which Flyway would replace"),
                hint: Some(format!(
                    "write the value; or, if it is meant as it stands, placeholderReplacement=false in {path}.conf"
                )),
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
    }
    Ok(Content::whole(sql, if script.in_transaction { Outside::Contents } else { Outside::Told }))
}

/// A baseline stands for the versioned migrations up to its own, which may have been deleted since.
pub(super) fn check_baselines(paths: &[&str]) -> Vec<MigrationFault> {
    let versions = |letter: &str| -> Vec<(i64, &str)> {
        let named = paths.iter().filter_map(|path| Some((MIGRATION.captures(path.rsplit('/').next()?)?, *path)));
        let of = named.filter(|(named, _)| &named[1] == letter);
        of.filter_map(|(named, path)| Some((version::number(&named[2]).ok()?, path))).collect()
    };
    let first = versions("V").into_iter().map(|(version, _)| version).min();
    let lonely = versions("B").into_iter().filter(|(version, _)| first.is_none_or(|first| first > *version));
    let fault = |(_, path): (i64, &str)| MigrationFault {
        file: path.to_owned(),
        line: None,
        message: "is a baseline for migrations that are not there".into(),
        hint: Some(
            "put the versioned migrations that it stands for back; or begin its name with V, for new fleets".into(),
        ),
    };
    lonely.map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    #[test]
    fn names_are_read_as_flyway_reads_them() {
        let name = |path| migration(role(path)).1;
        assert_eq!(name("V1__create_users.sql"), "create_users");
        assert_eq!(name("2024/V1_2.3__Add users-table.sql"), "Add users-table");
        assert_eq!(name("V1___x.sql"), "_x");
        let version = |path| migration(role(path)).0;
        assert_eq!(version("V1_1__a.sql"), version("V1.1__b.sql"));
        assert_eq!(version("V1.0__a.sql"), version("V1__b.sql"));
        assert_eq!(role("U1__create_users.sql"), Role::NotRun(Some("an undo migration")));
        assert_eq!(role("V1__a.sql.conf"), Role::Settings);
        assert_eq!(role("Views.sql"), Role::NotRun(Some("not named as a migration")));
        assert!(refused(role("R__views.sql")).contains("repeatable"));
        assert!(refused(role("afterMigrate.sql")).contains("callback"));
        assert!(refused(role("V2__Fill.java")).contains("another language"));
        for meant in ["V1_create.sql", "v1__a.sql", "V1__.sql", "V1__a.SQL", "20240101_a.sql"] {
            assert!(refused(role(meant)).contains("would skip it"), "{meant}");
        }
    }

    #[test]
    fn a_baseline_needs_what_it_stands_for() {
        let check = |paths: &[&str]| check_baselines(paths).len();
        assert_eq!(check(&["V1__a.sql", "V2__b.sql", "B2__all.sql", "V3__c.sql"]), 0);
        assert_eq!(check(&["B2__all.sql", "V3__c.sql"]), 1);
    }

    #[test]
    fn placeholders_and_script_settings_are_seen() {
        let read = |sql: &str, conf| MigrationFile::read(Format::Flyway, "V1__a.sql", sql, conf);
        let sql = "SELECT 1;\nGRANT SELECT ON t TO ${reader};";
        let faults = read(sql, None).unwrap_err();
        assert_eq!(faults[0].to_string(), "V1__a.sql:2 holds ${reader}, which Flyway would replace");
        assert!(read("SELECT '${x}';", Some("placeholderReplacement=false")).is_ok());
        let index = "CREATE INDEX CONCURRENTLY i ON t (a);";
        assert!(read(index, None).unwrap().no_transaction, "Flyway sees by itself what needs no transaction");
        assert!(read(&format!("SELECT 1; {index}"), Some("executeInTransaction=false")).is_err());
        assert!(read("VACUUM t; ANALYZE t;", Some("# x\nflyway.executeInTransaction=false")).unwrap().no_transaction);
        let faults = read("SELECT 1;", Some("shouldExecute=false")).unwrap_err();
        assert!(faults[0].to_string().starts_with("V1__a.sql.conf:1 says shouldExecute"));
    }
}
