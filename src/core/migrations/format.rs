//! What the files of the migrations directory are: refinery's, or those of another tool, which are read into refinery migrations.
//!
//! Each tool has a file here that says what a path is to it ([`Role`]) and what of a file's text runs ([`Content`]), as that
//! tool's own documentation or source has it. What a tool would run and tenantry cannot is a fault, never left out.

mod dbmate;
mod diesel;
mod directories;
mod flyway;
mod golang_migrate;
mod prisma;
mod refinery;
mod sqlx;
mod whole;
mod wrapped;

pub(super) use flyway::version::number as flyway_version;

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Version;
use super::lint::MigrationFault;
use super::names::Misnamed;

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

/// What a file of the migrations directory is, by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Migration(Named),
    /// It says how another file is run, or for which database the files are.
    Settings,
    /// Not run, and said so: perhaps with the reason.
    NotRun(Option<&'static str>),
    /// By its name nobody's content, such as `.gitkeep`.
    Hidden,
    /// The tool would run it, or was meant to.
    Fault(Misnamed),
}

/// What a migration's path says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub version: Version,
    /// As the history has it, such as `create_users`.
    pub name: String,
    /// It may be applied after a migration of a higher version.
    pub may_come_late: bool,
    /// The path of the file that may say how it is run.
    pub settings: Option<String>,
}

/// What of a migration's text runs, and how.
pub(super) struct Content<'a> {
    /// With as many lines as the file has, so that errors have the file's.
    pub text: Cow<'a, str>,
    /// What the checksum covers.
    pub summed: Cow<'a, str>,
    pub outside: Outside,
}

/// What takes a file out of the tenant's transaction, besides tenantry's own comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outside {
    Nothing,
    /// The tool was told to run it without a transaction, which it is where something in it needs that.
    Told,
    /// The tool opens no transaction of its own: a file is one that runs without where it holds nothing else.
    Contents,
}

impl<'a> Content<'a> {
    /// The whole file.
    fn whole(sql: &'a str, outside: Outside) -> Self {
        Self { text: Cow::Borrowed(sql), summed: Cow::Borrowed(sql), outside }
    }
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

    /// What only all of the paths together say, and the settings that were read (path → text).
    #[must_use]
    pub fn check(self, paths: &[&str], settings: &BTreeMap<String, String>) -> Vec<MigrationFault> {
        let mut faults = whole::faults(self, paths);
        faults.extend(match self {
            Self::Diesel => directories::without(paths, "up.sql", "diesel"),
            Self::Prisma => {
                let mut faults = directories::without(paths, "migration.sql", "Prisma");
                faults.extend(prisma::check_lock(settings));
                faults
            }
            Self::Flyway => flyway::check_baselines(paths),
            _ => Vec::new(),
        });
        faults
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
    fn text_order(self, path: &str) -> Option<&str> {
        match self {
            Self::Diesel | Self::Prisma => path.split('/').next(),
            Self::Dbmate => Some(path),
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

/// A number without sign, as the names of all these tools have it.
fn number(digits: &str) -> Result<Version, Misnamed> {
    digits.parse().map_err(|_| Misnamed {
        message: format!("has a version above {}", Version::MAX),
        hint: "give it a smaller number".into(),
    })
}

/// The file's name, where it lies in the directory itself.
fn at_the_top(path: &str) -> Option<&str> {
    (!path.contains('/')).then_some(path)
}

fn is_sql(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".sql")
}

/// What the tool passes over without a word: a fault where it looks as if it was meant to run.
fn passed_over(name: &str, tool: &'static str, hint: &str) -> Role {
    let meant = is_sql(name) && name.starts_with(|c: char| c.is_ascii_digit());
    if meant {
        return Role::Fault(Misnamed {
            message: format!("is not named as {tool} names migrations, and {tool} would skip it"),
            hint: hint.to_owned(),
        });
    }
    Role::NotRun(is_sql(name).then_some("not named as a migration"))
}

const DOWN: Role = Role::NotRun(Some("a down migration"));
const BELOW: &str = "in a subdirectory, where the tool does not look";

#[cfg(test)]
mod tests {
    use super::*;

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
