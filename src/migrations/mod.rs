//! The team's migration files: read once, checked offline, then held against every tenant's refinery history.

mod blocking;
mod enums;
mod lint;
mod parse;
mod statements;
mod transactions;

pub use blocking::Blocking;
pub use lint::{MigrationFault, MigrationWarning};
pub use statements::Statement;
use statements::split;
pub use transactions::{Begins, Transaction};

use std::collections::{BTreeMap, BTreeSet};

use refinery_core::{Migration, SchemaVersion};

/// The comment that takes a file out of the tenant's transaction (for CREATE INDEX CONCURRENTLY).
pub const NO_TRANSACTION: &str = "-- tenantry: no-transaction";

/// One file of the migrations directory.
#[derive(Clone, Debug)]
pub struct MigrationFile {
    /// The file's name, such as `V1__create_users.sql`.
    pub file: String,
    pub sql: String,
    pub statements: Vec<Statement>,
    /// Runs after COMMIT, outside any transaction.
    pub no_transaction: bool,
    pub warnings: Vec<MigrationWarning>,
    /// Costly where the table is large.
    pub blocking: Vec<Blocking>,
    /// What COMMIT would do with its temporary tables, as statements.
    pub at_commit: Vec<String>,
    /// In the order of the statements.
    enums: Vec<enums::EnumChange>,
    migration: Migration,
}

/// The migrations in version order, and the name of each tenant's history table.
#[derive(Clone, Debug, Default)]
pub struct MigrationSet {
    pub table: String,
    files: BTreeMap<SchemaVersion, MigrationFile>,
}

impl MigrationFile {
    /// # Errors
    /// Every fault of the file: its name, a transaction command in it, a syntax that cannot be run.
    pub fn parse(file: &str, sql: &str) -> Result<Self, Vec<MigrationFault>> {
        let fault = |message: String, hint: &str| MigrationFault {
            file: file.to_owned(),
            line: None,
            message,
            hint: Some(hint.to_owned()),
        };
        let migration = Migration::unapplied(file, sql)
            .map_err(|_| {
                fault(
                    "is not named as refinery names migrations".into(),
                    "name it V<number>__<words>.sql or U<number>__<words>.sql, with two underscores and a number up to 2147483647",
                )
            })
            .map_err(|f| vec![f])?;
        let (statements, blocking) = split(sql).map_err(|error| {
            let hint = "split it into several migrations, or write what nests so deeply another way";
            vec![fault(error.to_string(), hint)]
        })?;
        let no_transaction = sql
            .trim_start_matches('\u{feff}')
            .lines()
            .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with("--"))
            .any(|line| line.trim() == NO_TRANSACTION);
        let (faults, warnings) = lint::check(file, sql, &statements, no_transaction);
        if !faults.is_empty() {
            return Err(faults);
        }
        let statements = match no_transaction {
            true => statements.iter().map(Statement::repeatable).collect(),
            false => statements,
        };
        Ok(Self {
            file: file.to_owned(),
            sql: sql.to_owned(),
            at_commit: transactions::at_commit(&statements),
            enums: statements.iter().filter_map(enums::of).collect(),
            statements,
            no_transaction,
            warnings,
            blocking,
            migration,
        })
    }

    #[must_use]
    pub fn version(&self) -> SchemaVersion {
        self.migration.version()
    }

    #[must_use]
    pub fn name(&self) -> &str {
        self.migration.name()
    }

    /// refinery's checksum (SipHash of name, version and text; sees CRLF), as the history stores it.
    #[must_use]
    pub fn checksum(&self) -> String {
        self.migration.checksum().to_string()
    }

    /// `U` files may be applied out of order; `V` files may not.
    #[must_use]
    pub fn is_versioned(&self) -> bool {
        self.migration.prefix().to_string() == "V"
    }

    fn in_transaction(&self) -> Self {
        if !self.no_transaction {
            return self.clone();
        }
        let statements = self.statements.iter().filter_map(Statement::in_transaction).collect();
        Self { statements, no_transaction: false, ..self.clone() }
    }

    /// refinery's own value, for its Runner.
    #[must_use]
    pub fn to_refinery(&self) -> Migration {
        self.migration.clone()
    }
}

impl MigrationSet {
    /// # Errors
    /// Two files with one version.
    pub fn new(table: impl Into<String>, files: Vec<MigrationFile>) -> Result<Self, Vec<MigrationFault>> {
        let mut set = Self { table: table.into(), files: BTreeMap::new() };
        let mut faults = Vec::new();
        for file in files {
            if let Some(other) = set.files.get(&file.version()) {
                faults.push(MigrationFault {
                    file: file.file.clone(),
                    line: None,
                    message: format!("has the same version as {}", other.file),
                    hint: Some("give one of them a number of its own".into()),
                });
            } else {
                set.files.insert(file.version(), file);
            }
        }
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    pub fn iter(&self) -> impl Iterator<Item = &MigrationFile> {
        self.files.values()
    }

    /// These versions alone, in a form that one transaction can hold: on new tables CONCURRENTLY makes no difference, and
    /// enums have all their labels from the first.
    #[must_use]
    pub fn for_rehearsal(&self, versions: &BTreeSet<SchemaVersion>) -> Self {
        let files = self.files.iter().filter(|(version, _)| versions.contains(version));
        let files = files.map(|(version, file)| (*version, file.in_transaction()));
        let mut set = Self { table: self.table.clone(), files: files.collect() };
        enums::up_front(&mut set.files.values_mut().collect::<Vec<_>>());
        set
    }

    #[must_use]
    pub fn get(&self, version: SchemaVersion) -> Option<&MigrationFile> {
        self.files.get(&version)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The highest version there is a file for.
    #[must_use]
    pub fn latest(&self) -> Option<SchemaVersion> {
        self.files.keys().next_back().copied()
    }
}
