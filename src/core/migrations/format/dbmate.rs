//! dbmate: files that begin with a number, in the directory itself, in the order of their names; what was merged late is applied
//! late. `-- migrate:up` begins what runs and `-- migrate:down` ends it; `transaction:false` after the first takes it out of its
//! transaction (dbmate, `pkg/dbmate/migration.go`, `db.go`).

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::parts::{BELOW, Content, NO_TRANSACTION, Named, Outside, Role, at_the_top, number, passed_over};
use crate::core::migrations::lint::MigrationFault;

const NAME: &str = "name it <version>_<name>.sql, such as 20240101120000_create_users.sql";

#[allow(clippy::unwrap_used, reason = "a constant, compiled by the tests below")]
static MARKER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^--\s*migrate:(up|down)(?:\s+(.*))?\s*$").unwrap());

pub(super) fn role(path: &str) -> Role {
    let Some(name) = at_the_top(path) else { return Role::NotRun(Some(BELOW)) };
    let digits = name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (version, rest) = name.split_at(digits);
    let Some(rest) = rest.strip_suffix(".sql").filter(|_| digits > 0) else {
        return passed_over(name, "dbmate", NAME);
    };
    let rest = rest.trim_start_matches(['_', '-']);
    let name = if rest.is_empty() { version } else { rest };
    match number(version) {
        Ok(version) => Role::Migration(Named { version, name: name.to_owned(), may_come_late: true, settings: None }),
        Err(misnamed) => Role::Fault(misnamed),
    }
}

/// What stands below the markers for up, with nothing but line ends in place of the rest.
pub(super) fn content<'a>(path: &str, sql: &'a str) -> Result<Content<'a>, Vec<MigrationFault>> {
    let fault = |line, message: &str, hint: &str| {
        vec![MigrationFault { file: path.to_owned(), line, message: message.to_owned(), hint: Some(hint.to_owned()) }]
    };
    let (mut text, mut summed) = (String::with_capacity(sql.len()), String::with_capacity(sql.len()));
    let (mut up, mut is_told) = (None, None);
    for (n, line) in sql.trim_start_matches('\u{feff}').split_inclusive('\n').enumerate() {
        let content = line.trim_end_matches(['\n', '\r']);
        if let Some(marker) = MARKER.captures(content) {
            up = Some(&marker[1] == "up");
            if up == Some(false) && is_told.is_none() {
                return Err(fault(Some(n + 1), "has -- migrate:down before -- migrate:up", "write the up part first"));
            }
            if up == Some(true) {
                let options = marker.get(2).map_or("", |options| options.as_str());
                let told = options.split_whitespace().any(|option| option == "transaction:false");
                if is_told.is_some_and(|before| before != told) {
                    let message = "has several -- migrate:up, with and without a transaction";
                    return Err(fault(Some(n + 1), message, "give each a file of its own"));
                }
                is_told = Some(told);
            }
        } else if up == Some(true) {
            text.push_str(line);
            summed.push_str(line);
            continue;
        } else if up.is_none() && !content.trim().is_empty() && !content.trim_start().starts_with("--") {
            let message = "holds statements before -- migrate:up, which dbmate refuses";
            return Err(fault(Some(n + 1), message, "move them below the line -- migrate:up"));
        } else if up.is_none() && content.trim() == NO_TRANSACTION {
            text.push_str(content);
        }
        text.push_str(&line[content.len()..]);
    }
    let Some(is_told) = is_told else {
        return Err(fault(
            None,
            "has no line -- migrate:up, which dbmate asks of each file",
            "add it above the statements",
        ));
    };
    let outside = if is_told { Outside::Told } else { Outside::Nothing };
    Ok(Content { text: Cow::Owned(text), summed: Cow::Owned(summed), outside })
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    fn read(sql: &str) -> Result<MigrationFile, Vec<MigrationFault>> {
        MigrationFile::read(Format::Dbmate, "1_a.sql", sql, None)
    }

    #[test]
    fn names_are_read_as_dbmate_reads_them() {
        let named = |path| migration(role(path));
        assert_eq!(named("20240101120000_create_users.sql"), (20_240_101_120_000, "create_users".into()));
        assert_eq!(named("001-x.sql"), (1, "x".into()));
        assert_eq!(named("001.sql"), (1, "001".into()));
        assert_eq!(role("schema.sql"), Role::NotRun(Some("not named as a migration")));
        assert!(refused(role("1_a.SQL")).contains("would skip it"));
    }

    #[test]
    fn the_up_part_runs_and_has_the_lines_of_the_file() {
        let sql = "-- users\n\n-- migrate:up\nCREATE TABLE t ();\r\n\n-- migrate:down\nDROP TABLE t;\n";
        let file = read(sql).unwrap();
        assert_eq!(file.statements.len(), 1);
        assert_eq!((file.statements[0].sql.as_str(), file.statements[0].line), ("CREATE TABLE t ()", 4));
        let other_down = read(&sql.replace("DROP TABLE t", "DROP TABLE IF EXISTS t")).unwrap();
        assert_eq!(file.checksum(), other_down.checksum(), "what undoes it was never applied");
        assert_ne!(file.checksum(), read(&sql.replace("t ()", "u ()")).unwrap().checksum());
        let twice = read("-- migrate:up\nSELECT 1;\n-- migrate:down\n--migrate:up\nSELECT 2;\n").unwrap();
        assert_eq!(twice.statements.len(), 2);
    }

    #[test]
    fn options_and_mistakes_are_dbmates() {
        let index = "CREATE INDEX CONCURRENTLY i ON t (a);\n";
        assert!(read(&format!("-- migrate:up transaction:false\n{index}-- migrate:down\n")).unwrap().no_transaction);
        assert!(read(&format!("-- migrate:up\n{index}")).is_err());
        for (sql, said) in [
            ("CREATE TABLE t ();", "1_a.sql:1 holds statements before"),
            ("-- x\n", "1_a.sql has no line -- migrate:up"),
            ("-- migrate:down\n-- migrate:up\n", "1_a.sql:1 has -- migrate:down before"),
            ("-- migrate:up\n-- migrate:up transaction:false\n", "1_a.sql:2 has several"),
        ] {
            assert!(read(sql).unwrap_err()[0].to_string().starts_with(said), "{sql}");
        }
    }
}
