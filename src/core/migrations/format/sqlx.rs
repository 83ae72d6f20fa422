//! sqlx: `<VERSION>_<DESCRIPTION>.sql`, or the same with `.up.sql` and `.down.sql`, in the directory itself, in the order of the
//! versions; what was merged late is applied late. A file that begins with `-- no-transaction` runs outside of one. Other names
//! are skipped without a word, and a version that is no number is an error (sqlx-core, `migrate/source.rs`).

use super::parts::{BELOW, Content, DOWN, Named, Outside, Role, at_the_top, number, passed_over};
use crate::core::migrations::names::Misnamed;

const NAME: &str = "name it <version>_<description>.sql, such as 20240101120000_create_users.sql";

pub(super) fn role(path: &str) -> Role {
    let Some(name) = at_the_top(path) else { return Role::NotRun(Some(BELOW)) };
    let Some((version, rest)) = name.split_once('_').filter(|(_, rest)| rest.ends_with(".sql")) else {
        return passed_over(name, "sqlx", NAME);
    };
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        let message = format!("its version, {version:?}, is not a number, which sqlx takes for an error");
        return Role::Fault(Misnamed { message, hint: NAME.into() });
    }
    let version = match number(version) {
        Ok(version) => version,
        Err(misnamed) => return Role::Fault(misnamed),
    };
    if rest.ends_with(".down.sql") {
        return DOWN;
    }
    let description = rest.strip_suffix(".up.sql").or(rest.strip_suffix(".sql")).unwrap_or(rest);
    if description.is_empty() {
        return Role::Fault(Misnamed { message: "has no description".into(), hint: NAME.into() });
    }
    Role::Migration(Named { version, name: description.to_owned(), may_come_late: true, settings: None })
}

pub(super) fn content(sql: &str) -> Content<'_> {
    let outside = if sql.starts_with("-- no-transaction") { Outside::Told } else { Outside::Nothing };
    Content::whole(sql, outside)
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    #[test]
    fn names_are_read_as_sqlx_reads_them() {
        let named = |path| migration(role(path));
        assert_eq!(named("20240101120000_create_users.sql"), (20_240_101_120_000, "create_users".into()));
        assert_eq!(named("1_a.up.sql"), (1, "a".into()));
        assert_eq!(named("0002_add index-now.sql"), (2, "add index-now".into()));
        assert_eq!(role("1_a.down.sql"), DOWN);
        assert_eq!(role("README.md"), Role::NotRun(None));
        assert_eq!(role("seed.sql"), Role::NotRun(Some("not named as a migration")));
        assert_eq!(role("old/1_a.sql"), Role::NotRun(Some(BELOW)));
        assert!(refused(role("V1__a.sql")).contains("\"V1\", is not a number"));
        assert!(refused(role("20240101-a.sql")).contains("would skip it"));
        assert!(refused(role("1_a.SQL")).contains("would skip it"));
        assert!(refused(role("99999999999999999999_a.sql")).contains("above"));
    }

    #[test]
    fn the_first_line_alone_takes_a_file_out_of_the_transaction() {
        let index = "CREATE INDEX CONCURRENTLY i ON t (a);";
        let read = |sql: &str| MigrationFile::read(Format::Sqlx, "1_a.sql", sql, None);
        assert!(read(&format!("-- no-transaction\n{index}")).unwrap().no_transaction);
        assert!(read(&format!("\n-- no-transaction\n{index}")).is_err());
        assert!(!read("-- no-transaction\nALTER TYPE mood ADD VALUE 'sad';").unwrap().no_transaction);
    }
}
