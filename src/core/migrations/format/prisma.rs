//! Prisma Migrate: a directory for each migration, with `migration.sql`, in the order of the directories' names; what was merged
//! late is applied late by `migrate deploy`. `migration_lock.toml` says which database they are for. A file is sent as it is: one
//! statement that cannot run in a transaction runs, if it is alone (<https://www.prisma.io/docs/orm/prisma-migrate>).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::directories::{named, role_of};
use super::parts::{BELOW, DOWN, Role, is_sql};
use crate::core::migrations::lint::MigrationFault;

pub(super) const LOCK: &str = "migration_lock.toml";

pub(super) fn role(path: &str) -> Role {
    let Some((directory, file)) = path.split_once('/') else {
        return if path == LOCK {
            Role::Settings
        } else {
            Role::NotRun(is_sql(path).then_some("not in a directory of its own"))
        };
    };
    match file {
        "migration.sql" => {
            let version = directory.split('_').next().unwrap_or_default();
            role_of(named(directory, version, "20240101120000_create_users/migration.sql"))
        }
        // Written by hand, for `prisma db execute`.
        "down.sql" => DOWN,
        _ => Role::NotRun(is_sql(file).then_some(if file.contains('/') { BELOW } else { "not named migration.sql" })),
    }
}

#[derive(Deserialize)]
struct Lock {
    provider: String,
}

/// Migrations for another database would fail one by one, or worse: run.
pub(super) fn check_lock(settings: &BTreeMap<String, String>) -> Option<MigrationFault> {
    let fault = |message: String, hint: &str| {
        Some(MigrationFault { file: LOCK.into(), line: None, message, hint: Some(hint.to_owned()) })
    };
    match toml::from_str::<Lock>(settings.get(LOCK)?) {
        Ok(Lock { provider }) if ["postgresql", "postgres", "cockroachdb"].contains(&provider.as_str()) => None,
        Ok(Lock { provider }) => fault(
            format!("says that the migrations are for {provider}, not for PostgreSQL"),
            "look at [migrations] dir",
        ),
        Err(error) => fault(format!("cannot be read: {}", error.message()), "it is Prisma's own: restore it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    #[test]
    fn a_directory_is_a_migration_for_the_database_of_the_lock() {
        let named = |path| migration(role(path));
        assert_eq!(named("20240101120000_create_users/migration.sql"), (20_240_101_120_000, "create_users".into()));
        assert_eq!(named("0_init/migration.sql"), (0, "init".into()));
        assert_eq!(role(LOCK), Role::Settings);
        assert_eq!(role("0_init/README.md"), Role::NotRun(None));
        assert!(refused(role("init/migration.sql")).contains("does not begin with a number"));
        let check = |lock: &str| {
            let settings = BTreeMap::from([(LOCK.to_owned(), lock.to_owned())]);
            Format::Prisma
                .check(&["0_init/migration.sql"], &settings)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(check("# Prisma's\nprovider = \"postgresql\"\n"), [""; 0]);
        assert!(check("provider = \"sqlite\"")[0].contains("are for sqlite"));
        assert!(check("provider")[0].contains("cannot be read"));
    }

    #[test]
    fn what_cannot_run_in_a_transaction_runs_without_one_where_it_is_alone() {
        let read = |sql: &str| MigrationFile::read(Format::Prisma, "1_a/migration.sql", sql, None);
        assert!(read("-- CreateIndex\nCREATE INDEX CONCURRENTLY \"i\" ON \"User\"(\"a\");").unwrap().no_transaction);
        assert!(!read("CREATE TABLE \"User\" ();").unwrap().no_transaction);
        let faults = read("CREATE TABLE t ();\nCREATE INDEX CONCURRENTLY i ON t (a);").unwrap_err();
        assert!(faults[0].to_string().starts_with("1_a/migration.sql:2 CREATE INDEX CONCURRENTLY cannot"));
    }
}
