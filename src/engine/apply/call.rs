//! Some of a tenant's migrations, as one call.

use crate::core::migrations::Version;

/// Whether the files' own statements run, or only their rows are written (they ran already, outside a transaction).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    /// The same, in a form that one transaction can hold.
    RunAtOnce,
    Record,
}

/// What one call is about.
pub(super) struct Call<'a> {
    pub schema: &'a str,
    pub owner: &'a str,
    pub versions: &'a [Version],
    pub history_sql: &'a [String],
    pub mode: Mode,
}
