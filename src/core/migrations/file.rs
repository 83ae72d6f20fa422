//! One file of the migrations directory, read and checked.

use std::borrow::Cow;
use std::collections::BTreeSet;

use refinery_core::Migration;

use super::Version;
use super::at_commit::at_commit;
use super::blocking::Blocking;
use super::enums::{self, EnumChange};
use super::format::Format;
use super::format::parts::{NO_TRANSACTION, Named, Outside, Role};
use super::lint::{self, MigrationFault, MigrationWarning};
use super::look::Extension;
use super::place::Place;
use super::psql;
use super::statements::{Cut, Statement, cut};
use super::sum::{checksum, short_checksum};
use super::tool_sum;

/// One file of the migrations directory.
#[derive(Clone, Debug)]
pub struct MigrationFile {
    /// The file's path in the migrations directory, such as `V1__create_users.sql` or `2026/V1__create_users.sql`.
    pub file: String,
    /// What of it runs, on the lines that it has in the file.
    pub sql: String,
    pub statements: Vec<Statement>,
    /// Runs after COMMIT, outside any transaction.
    pub no_transaction: bool,
    pub warnings: Vec<MigrationWarning>,
    /// Costly where the table is large.
    pub blocking: Vec<Blocking>,
    /// The line of the first thing that the parser does not know; from there on PostgreSQL alone says what it is.
    pub unknown: Option<usize>,
    /// The extensions it makes or drops.
    pub extensions: Vec<Extension>,
    /// What COMMIT would do with its temporary tables, as statements.
    pub at_commit: Vec<String>,
    /// In the order of the statements.
    pub(super) enums: Vec<EnumChange>,
    named: Named,
    checksum: u64,
    /// What the tool itself records of it.
    tool_sums: Vec<String>,
    /// refinery's own value, of its own files.
    migration: Option<Migration>,
}

impl MigrationFile {
    /// One of refinery's.
    ///
    /// # Errors
    /// Every fault of the file: its name, a statement that no migration can hold, a syntax that cannot be run.
    pub fn parse(file: &str, sql: &str) -> Result<Self, Vec<MigrationFault>> {
        Self::read(Format::Refinery, file, sql, None)
    }

    /// One of any format's, with the text of the file that says how it is run, if there is one.
    ///
    /// # Errors
    /// Every fault of the file, as above.
    pub fn read(format: Format, file: &str, sql: &str, settings: Option<&str>) -> Result<Self, Vec<MigrationFault>> {
        let fault = |message: String, hint: &str| {
            vec![MigrationFault { file: file.to_owned(), line: None, message, hint: Some(hint.to_owned()) }]
        };
        let named = match format.role(file) {
            Role::Migration(named) => named,
            Role::Fault(misnamed) => return Err(fault(misnamed.message, &misnamed.hint)),
            _ => return Err(fault(format!("is no migration of {}", format.as_str()), "look at [migrations] format")),
        };
        let content = format.content(file, sql, settings)?;
        let migration = (!format.has_long_versions())
            .then(|| Migration::unapplied(file.rsplit('/').next().unwrap_or(file), sql).ok())
            .flatten();
        let checksum = migration
            .as_ref()
            .map_or_else(|| checksum(&named.name, named.version, &content.summed), Migration::checksum);
        let without_mark = content.text.trim_start_matches('\u{feff}');
        let (for_psql, text) = psql::find(without_mark);
        let cut = cut(&text).map_err(|error| {
            fault(error.to_string(), "split it into several migrations, or rewrite what nests so deeply")
        })?;
        let no_transaction = is_marked(&text) || is_outside(&cut, content.outside);
        let (mut faults, warnings) = lint::check(file, &text, &cut, for_psql, no_transaction);
        if faults.is_empty() && matches!(text, Cow::Owned(_)) && *text != *without_mark {
            // Where the parser does not know the COPY, its rows are all the same no SQL.
            faults = fault("holds rows for psql's COPY … FROM stdin".into(), "write them as INSERT INTO … VALUES");
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let statements = match no_transaction {
            true => cut.statements.iter().map(Statement::repeatable).collect(),
            false => cut.statements,
        };
        Ok(Self {
            file: file.to_owned(),
            sql: content.text.into_owned(),
            at_commit: at_commit(&statements),
            enums: statements.iter().filter_map(enums::of).collect(),
            statements,
            no_transaction,
            warnings,
            blocking: cut.blocking,
            unknown: cut.unknown,
            extensions: cut.looks.into_iter().flat_map(|look| look.extensions).collect(),
            named,
            checksum,
            tool_sums: tool_sum::sums(format, sql),
            migration,
        })
    }

    #[must_use]
    pub fn version(&self) -> Version {
        self.named.version
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.named.name
    }

    /// refinery's checksum (SipHash of name, version and text; sees CRLF), as the history stores it. Of other formats' files: of
    /// what runs, and of the version as refinery's feature `int8-versions` has it.
    #[must_use]
    pub fn checksum(&self) -> String {
        self.checksum.to_string()
    }

    /// Whether the tool whose file it is recorded it with this checksum, as PostgreSQL prints it, as far as that tool keeps any.
    #[must_use]
    pub fn has_tool_sum(&self, sum: &str) -> bool {
        self.tool_sums.is_empty() || self.tool_sums.iter().any(|own| own == sum)
    }

    /// The format that a row of a history is of, where it is this file's by its name and text, and of another format by its version
    /// or its checksum. `Some(None)`: one of those that are not refinery's.
    #[must_use]
    pub fn format_of_row(&self, version: Version, name: &str, sum: &str) -> Option<Option<Format>> {
        if name != self.name() {
            return None;
        }
        if short_checksum(name, version, &self.sql).is_some_and(|short| short.to_string() == sum) {
            return self.migration.is_none().then_some(Some(Format::Refinery));
        }
        let is_long = checksum(name, version, &self.sql).to_string() == sum;
        (is_long && (version, sum) != (self.version(), &self.checksum())).then_some(None)
    }

    /// It may not be applied after one of a higher version, as refinery's `U` files may.
    #[must_use]
    pub fn is_versioned(&self) -> bool {
        !self.named.may_come_late
    }

    /// What the file says of extensions that cannot be, given those that are made for all tenants: CREATE EXTENSION finds them,
    /// and can make no other, since an extension is the database's.
    #[must_use]
    pub fn misplaced_extensions(&self, declared: &BTreeSet<String>) -> Vec<MigrationFault> {
        let mut faults = Vec::new();
        for Extension { name, line, if_needed, drops } in &self.extensions {
            // It is there before any tenant, in every database.
            let is_there = declared.contains(name) || name == "plpgsql";
            let (message, hint) = match (is_there, if_needed, drops) {
                (true, true, false) | (false, true, true) => continue,
                (true, false, false) => (
                    format!("creates extension {name}, which already exists"),
                    "write CREATE EXTENSION IF NOT EXISTS, or delete the statement".to_owned(),
                ),
                (false, _, false) => (
                    format!(
                        "creates extension {name}, which no tenant may do: an extension belongs to the whole database"
                    ),
                    format!("add {name:?} to [database] extensions, and write CREATE EXTENSION IF NOT EXISTS"),
                ),
                (_, _, true) => (
                    format!(
                        "drops extension {name}, which no tenant may do: an extension belongs to the whole database"
                    ),
                    "delete the statement; let an administrator drop the extension".to_owned(),
                ),
            };
            faults.push(MigrationFault { file: self.file.clone(), line: Some(*line), message, hint: Some(hint) });
        }
        faults
    }

    pub(super) fn in_transaction(&self) -> Self {
        if !self.no_transaction {
            return self.clone();
        }
        let statements = self.statements.iter().flat_map(Statement::in_transaction).collect();
        Self { statements, no_transaction: false, ..self.clone() }
    }

    /// refinery's own value, for its Runner; of its own files only.
    #[must_use]
    pub fn to_refinery(&self) -> Option<Migration> {
        self.migration.clone()
    }
}

/// tenantry's own comment stands before the first statement.
fn is_marked(text: &str) -> bool {
    let mut head = text.lines().take_while(|line| line.trim().is_empty() || line.trim_start().starts_with("--"));
    head.any(|line| line.trim() == NO_TRANSACTION)
}

/// Whether the file runs outside the tenant's transaction for the tool's reasons. In the transaction is better wherever it can be.
fn is_outside(cut: &Cut, outside: Outside) -> bool {
    let places = || cut.looks.iter().map(|look| &look.place);
    match outside {
        Outside::Nothing => false,
        Outside::Told => places().any(|place| matches!(place, Place::Outside(_) | Place::Either)),
        Outside::Contents => {
            cut.unknown.is_none()
                && places().any(|place| matches!(place, Place::Outside(_)))
                && places().all(|place| matches!(place, Place::Outside(_) | Place::Either))
        }
    }
}
