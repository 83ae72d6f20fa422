//! What the readers of all tools say of a path and of a file's text.

use std::borrow::Cow;

use crate::core::migrations::Version;
use crate::core::migrations::names::Misnamed;

/// The comment that takes a file out of the tenant's transaction (for CREATE INDEX CONCURRENTLY, VACUUM and the like).
pub const NO_TRANSACTION: &str = "-- tenantry: no-transaction";

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
pub(in crate::core::migrations) struct Content<'a> {
    /// With as many lines as the file has, so that errors have the file's.
    pub text: Cow<'a, str>,
    /// What the checksum covers.
    pub summed: Cow<'a, str>,
    pub outside: Outside,
}

/// What takes a file out of the tenant's transaction, besides tenantry's own comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::core::migrations) enum Outside {
    Nothing,
    /// The tool was told to run it without a transaction, which it is where something in it needs that.
    Told,
    /// The tool opens no transaction of its own: a file is one that runs without where it holds nothing else.
    Contents,
}

impl<'a> Content<'a> {
    /// The whole file.
    pub(super) fn whole(sql: &'a str, outside: Outside) -> Self {
        Self { text: Cow::Borrowed(sql), summed: Cow::Borrowed(sql), outside }
    }
}

/// A number without sign, as the names of all these tools have it.
pub(super) fn number(digits: &str) -> Result<Version, Misnamed> {
    digits.parse().map_err(|_| Misnamed {
        message: format!("has a version above {}", Version::MAX),
        hint: "give it a smaller number".into(),
    })
}

/// The file's name, where it lies in the directory itself.
pub(super) fn at_the_top(path: &str) -> Option<&str> {
    (!path.contains('/')).then_some(path)
}

pub(in crate::core::migrations) fn is_sql(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".sql")
}

/// What the tool passes over without a word: a fault where it looks as if it was meant to run.
pub(super) fn passed_over(name: &str, tool: &'static str, hint: &str) -> Role {
    let meant = is_sql(name) && name.starts_with(|c: char| c.is_ascii_digit());
    if meant {
        return Role::Fault(Misnamed {
            message: format!("is not named as {tool} names migrations, and {tool} would skip it"),
            hint: hint.to_owned(),
        });
    }
    Role::NotRun(is_sql(name).then_some("not named as a migration"))
}

pub(in crate::core::migrations) const DOWN: Role = Role::NotRun(Some("a down migration"));
pub(super) const BELOW: &str = "in a subdirectory, where the tool does not look";
