//! What the files of the migrations directory are: refinery's, or those of another tool, which are read into refinery migrations.
//!
//! Each tool has a file here that says what a path is to it ([`Role`]) and what of a file's text runs ([`Content`]), as that
//! tool's own documentation or source has it. What a tool would run and tenantry cannot is a fault, never left out.

mod dbmate;
mod diesel;
mod directories;
mod flyway;
mod golang_migrate;
pub(super) mod parts;
mod prisma;
mod refinery;
mod sqlx;
mod wrapped;

pub(super) use flyway::version::number as flyway_version;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Version;
use super::lint::MigrationFault;
use parts::{Content, Outside, Role};

/// Whose files the migrations are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// V1__create_users.sql
    #[default]
    Refinery,
    /// 20240101120000_create_users.sql, or .up.sql
    Sqlx,
    /// 2024-01-01-120000_create_users/up.sql
    Diesel,
    /// 000001_create_users.up.sql
    GolangMigrate,
    /// 20240101120000_create_users.sql, with -- migrate:up
    Dbmate,
    /// V1.1__create_users.sql
    Flyway,
    /// 20240101120000_create_users/migration.sql
    Prisma,
}

impl Format {
    pub const ALL: [Self; 7] =
        [Self::Refinery, Self::Sqlx, Self::Diesel, Self::GolangMigrate, Self::Dbmate, Self::Flyway, Self::Prisma];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refinery => "refinery",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::GolangMigrate => "golang-migrate",
            Self::Dbmate => "dbmate",
            Self::Flyway => "flyway",
            Self::Prisma => "prisma",
        }
    }

    /// What a file is to this tool. `path`: in the migrations directory, with `/`.
    #[must_use]
    pub fn role(self, path: &str) -> Role {
        if path.rsplit('/').next().unwrap_or(path).starts_with('.') && !path.to_ascii_lowercase().ends_with(".sql") {
            return Role::Hidden;
        }
        match self {
            Self::Refinery => refinery::role(path),
            Self::Sqlx => sqlx::role(path),
            Self::Diesel => diesel::role(path),
            Self::GolangMigrate => golang_migrate::role(path),
            Self::Dbmate => dbmate::role(path),
            Self::Flyway => flyway::role(path),
            Self::Prisma => prisma::role(path),
        }
    }

    /// # Errors
    /// What of the file the tool would not run, or tenantry could not run as the tool does.
    pub(super) fn content<'a>(
        self,
        path: &str,
        sql: &'a str,
        settings: Option<&str>,
    ) -> Result<Content<'a>, Vec<MigrationFault>> {
        match self {
            Self::Refinery => Ok(Content::whole(sql, Outside::Nothing)),
            Self::Sqlx => Ok(sqlx::content(sql)),
            Self::Diesel => diesel::content(path, sql, settings),
            Self::GolangMigrate | Self::Prisma => Ok(wrapped::content(sql)),
            Self::Dbmate => dbmate::content(path, sql),
            Self::Flyway => flyway::content(path, sql, settings),
        }
    }

    /// What the tool says of all of the paths together, and of the settings that were read (path → text).
    pub(super) fn check(self, paths: &[&str], settings: &BTreeMap<String, String>) -> Vec<MigrationFault> {
        match self {
            Self::Diesel => directories::without(paths, "up.sql", "diesel"),
            Self::Prisma => {
                let mut faults = directories::without(paths, "migration.sql", "Prisma");
                faults.extend(prisma::check_lock(settings));
                faults
            }
            Self::Flyway => flyway::check_baselines(paths),
            _ => Vec::new(),
        }
    }

    /// Settings that are of all migrations.
    #[must_use]
    pub fn is_of_all(self, settings: &str) -> bool {
        self == Self::Prisma && settings == prisma::LOCK
    }

    /// A migration is a directory.
    #[must_use]
    pub fn is_of_directories(self) -> bool {
        matches!(self, Self::Diesel | Self::Prisma)
    }

    /// What the tool orders migrations by where that is a text, which should come to the same as their versions.
    pub(super) fn text_order(self, path: &str) -> Option<String> {
        match self {
            Self::Diesel => path.split('/').next().map(diesel::version),
            Self::Prisma => path.split('/').next().map(str::to_owned),
            Self::Dbmate => Some(path.to_owned()),
            _ => None,
        }
    }

    /// Whether histories are those of refinery's feature `int8-versions`: a date with a time does not fit an int4. refinery's
    /// checksum covers the version as that type has it, so those that are there stay what they are.
    #[must_use]
    pub fn has_long_versions(self) -> bool {
        self != Self::Refinery
    }

    /// A version as people know it: `V3`, `20240101120000`, `V1.2.3`.
    #[must_use]
    pub fn label(self, version: Version) -> String {
        match self {
            Self::Refinery => format!("V{version}"),
            Self::Flyway => format!("V{}", flyway::version::shown(version)),
            _ => version.to_string(),
        }
    }

    /// Of one that comes late.
    pub(in crate::core) fn late_label(self, version: Version) -> String {
        if self == Self::Refinery { format!("U{version}") } else { self.label(version) }
    }

    /// A migration as people know it: `V3__create_users`, `20240101120000_create_users`.
    #[must_use]
    pub fn title(self, version: Version, name: &str) -> String {
        let between = if matches!(self, Self::Refinery | Self::Flyway) { "__" } else { "_" };
        format!("{}{between}{name}", self.label(version))
    }

    /// For one that is not in order.
    pub(in crate::core) fn hint_for_order(self) -> &'static str {
        match self {
            Self::Refinery => {
                "give the file a number above the last one, or begin its name with U if the order does not matter"
            }
            _ => "give the file a version above the last one",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parts::Named;
    use super::*;
    use crate::core::migrations::MigrationFile;

    #[test]
    fn only_prismas_lock_is_of_all_migrations() {
        assert!(Format::Prisma.is_of_all(prisma::LOCK));
        assert!(!Format::Prisma.is_of_all("20240101120000_init/metadata.toml"));
        assert!(!Format::Diesel.is_of_all(prisma::LOCK));
    }

    #[test]
    fn formats_are_named_as_in_the_file() {
        for format in Format::ALL {
            assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
        }
    }

    #[test]
    fn versions_are_shown_as_people_know_them() {
        assert_eq!(Format::Refinery.title(3, "a"), "V3__a");
        assert_eq!(Format::Sqlx.title(20_240_101_120_000, "a"), "20240101120000_a");
        let version = flyway::version::number("1.2.3").unwrap();
        assert_eq!(Format::Flyway.title(version, "a"), "V1.2.3__a");
    }

    /// A path that is a migration's in the format.
    fn example(format: Format) -> &'static str {
        match format {
            Format::Refinery | Format::Flyway => "V1__a.sql",
            Format::Sqlx | Format::Dbmate => "1_a.sql",
            Format::GolangMigrate => "1_a.up.sql",
            Format::Diesel => "1_a/up.sql",
            Format::Prisma => "1_a/migration.sql",
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_odd(path in "([VUBR]?[0-9٣._-]{0,20}[_.-]{0,2}[a-zé./-]{0,4}(/up|/migration|.up|.down)?(.sql|.SQL|.rs|.conf|)|.{0,20})") {
            for format in Format::ALL {
                let Role::Migration(Named { version, name, .. }) = format.role(&path) else { continue };
                prop_assert!(version >= 0 && !name.is_empty(), "{format:?} {path:?}");
                prop_assert!(!format.title(version, &name).is_empty());
            }
        }

        #[test]
        fn what_runs_has_the_lines_of_the_file(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "BEGIN;", "begin work ;", "COMMIT;", "COMMIT", "-- migrate:up", "-- migrate:up transaction:false", "--migrate:down",
                    "-- no-transaction", "-- tenantry: no-transaction", "\n", "\r\n", "\u{feff}", "CREATE TABLE \"ü\" ();",
                    "CREATE INDEX CONCURRENTLY i ON t (a);", "VACUUM;", "SELECT '${x}';", "/* ü", "*/", "$$", "SELECT 1", ";", "ü",
                ]),
                0..12,
            )
        ) {
            let sql = parts.concat();
            for format in Format::ALL {
                let Ok(file) = MigrationFile::read(format, example(format), &sql, None) else { continue };
                prop_assert_eq!(file.sql.matches('\n').count(), sql.matches('\n').count(), "{:?} {:?}", format, sql);
                for statement in &file.statements {
                    let line = file.sql.lines().nth(statement.line - 1).unwrap_or_default();
                    let begins: String = statement.sql.chars().take_while(|c| *c != '\n' && *c != '\r').collect();
                    prop_assert!(file.no_transaction || line.contains(begins.trim_end()), "{:?} {:?}: {:?}", format, sql, statement);
                }
            }
        }
    }

    #[test]
    fn hidden_files_are_nobodys() {
        for format in Format::ALL {
            assert_eq!(format.role(".gitkeep"), Role::Hidden);
        }
    }
}

#[cfg(test)]
mod tests_support {
    use super::Role;
    use crate::core::migrations::Version;

    pub fn migration(role: Role) -> (Version, String) {
        match role {
            Role::Migration(named) => (named.version, named.name),
            other => panic!("{other:?}"),
        }
    }

    pub fn refused(role: Role) -> String {
        match role {
            Role::Fault(misnamed) => misnamed.message,
            other => panic!("{other:?}"),
        }
    }
}
