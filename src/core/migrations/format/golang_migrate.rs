//! golang-migrate: `<VERSION>_<TITLE>.up.<EXTENSION>` and `.down.`, in the directory itself, in the order of the versions. It knows
//! the last version only, so what was merged late is never applied: here that is refused. A file is sent as it is, often with BEGIN
//! and COMMIT around it (golang-migrate, `source/parse.go`, `MIGRATIONS.md`).

use super::parts::{BELOW, DOWN, Named, Role, at_the_top, number, passed_over};
use crate::core::migrations::names::Misnamed;

const NAME: &str = "name it <version>_<title>.up.sql, such as 000001_create_users.up.sql";

pub(super) fn role(path: &str) -> Role {
    let Some(name) = at_the_top(path) else { return Role::NotRun(Some(BELOW)) };
    let parsed = name
        .split_once('_')
        .filter(|(version, _)| !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()));
    let Some((version, rest)) = parsed else { return passed_over(name, "golang-migrate", NAME) };
    // The last of them, as its pattern is greedy.
    let (up, down) = (rest.rfind(".up."), rest.rfind(".down."));
    let (title, extension) = match (up, down) {
        (Some(up), down) if down.is_none_or(|down| down < up) => (&rest[..up], &rest[up + ".up.".len()..]),
        (_, Some(_)) => return DOWN,
        _ => return passed_over(name, "golang-migrate", NAME),
    };
    if extension != "sql" {
        let message = format!("is a migration to golang-migrate, whatever its ending; {extension:?} is not SQL");
        return Role::Fault(Misnamed { message, hint: format!("{NAME}, or remove it") });
    }
    if title.is_empty() {
        return Role::Fault(Misnamed { message: "has no title".into(), hint: NAME.into() });
    }
    match number(version) {
        Ok(version) => Role::Migration(Named { version, name: title.to_owned(), may_come_late: false, settings: None }),
        Err(misnamed) => Role::Fault(misnamed),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    #[test]
    fn names_are_read_as_golang_migrate_reads_them() {
        let named = |path| migration(role(path));
        assert_eq!(named("000001_create_users.up.sql"), (1, "create_users".into()));
        assert_eq!(named("1481574547_a.b.up.sql"), (1_481_574_547, "a.b".into()));
        assert_eq!(role("000001_create_users.down.sql"), DOWN);
        assert_eq!(role("schema.sql"), Role::NotRun(Some("not named as a migration")));
        assert!(refused(role("000001_create_users.sql")).contains("would skip it"));
        assert!(refused(role("1_a.up.json")).contains("\"json\" is not SQL"));
        assert!(refused(role("1_a.up.sql.bak")).contains("\"sql.bak\" is not SQL"));
        assert!(refused(role("18446744073709551615_a.up.sql")).contains("above"));
    }

    #[test]
    fn a_transaction_around_the_whole_file_is_the_tenants() {
        let read = |sql: &str| MigrationFile::read(Format::GolangMigrate, "1_a.up.sql", sql, None);
        let file = read("-- users\nBEGIN;\nCREATE TABLE t ();\nCOMMIT;\n").unwrap();
        assert_eq!(
            file.statements.iter().map(|one| (one.sql.as_str(), one.line)).collect::<Vec<_>>(),
            [("CREATE TABLE t ()", 3)]
        );
        assert!(read("begin transaction; CREATE TABLE t (); COMMIT WORK").is_ok());
        for half in ["BEGIN;\nSELECT 1;", "SELECT 1;\nCOMMIT;", "BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT;"] {
            assert!(read(half).unwrap_err()[0].to_string().contains("contains a transaction command"), "{half}");
        }
        assert!(read("CREATE INDEX CONCURRENTLY i ON t (a);").unwrap().no_transaction);
    }
}
