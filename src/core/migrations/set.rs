//! The migrations in version order.

use std::collections::{BTreeMap, BTreeSet};

use super::Version;
use super::file::MigrationFile;
use super::format::Format;
use super::lint::MigrationFault;
use super::scratch_run::up_front;
use super::tool_table::history_of;

/// The migrations in version order, and the name of each tenant's history table.
#[derive(Clone, Debug, Default)]
pub struct MigrationSet {
    pub table: String,
    pub format: Format,
    files: BTreeMap<Version, MigrationFile>,
}

impl MigrationSet {
    /// Without files. `table`: the name of the history, were there any.
    #[must_use]
    pub fn none(table: &str) -> Self {
        Self { table: table.to_owned(), ..Self::default() }
    }

    /// Of refinery's files.
    ///
    /// # Errors
    /// Two files with one version.
    pub fn new(table: impl Into<String>, files: Vec<MigrationFile>) -> Result<Self, Vec<MigrationFault>> {
        Self::of(Format::Refinery, table, files)
    }

    /// # Errors
    /// Two files with one version.
    pub fn of(
        format: Format,
        table: impl Into<String>,
        files: Vec<MigrationFile>,
    ) -> Result<Self, Vec<MigrationFault>> {
        let mut set = Self { table: table.into(), format, files: BTreeMap::new() };
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

    /// The tables in a tenant's schema that record migrations and belong to none: the history, and that of the tool whose files they are.
    #[must_use]
    pub fn history_tables(&self) -> Vec<&str> {
        let its = history_of(self.format).map(|its| its.table);
        std::iter::once(self.table.as_str()).chain(its).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = &MigrationFile> {
        self.files.values()
    }

    /// These versions alone, in a form that one transaction can hold: on new tables CONCURRENTLY makes no difference, and
    /// enums have all their labels from the first.
    #[must_use]
    pub fn in_one_transaction(&self, versions: &BTreeSet<Version>) -> Self {
        let files = self.files.iter().filter(|(version, _)| versions.contains(version));
        let files = files.map(|(version, file)| (*version, file.in_transaction()));
        let mut set = Self { table: self.table.clone(), format: self.format, files: files.collect() };
        up_front(&mut set.files.values_mut().collect::<Vec<_>>());
        set
    }

    #[must_use]
    pub fn get(&self, version: Version) -> Option<&MigrationFile> {
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
    pub fn latest(&self) -> Option<Version> {
        self.files.keys().next_back().copied()
    }
}
