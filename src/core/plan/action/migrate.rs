//! Migrations that are to run.

use super::rights::Rights;
use super::view::{Action, Kind};
use crate::core::migrations::{Begins, Format, MigrationSet, Transaction, Version};
use crate::core::model::{Applied, ident, qualified};
use crate::core::plan::statement::{Sql, statements};

/// Pending migrations, through refinery's Runner, as the role that owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrate {
    pub schema: String,
    pub owner: String,
    /// In their order.
    pub files: Vec<PendingFile>,
    /// The highest version that is applied.
    pub last: Option<Version>,
    /// Of the files: how their versions are written.
    pub format: Format,
    /// Which files run together. The first of these is the tenant's own transaction, unless it runs outside of any.
    pub transactions: Vec<Transaction>,
    /// All of them run in the tenant's own transaction, whatever the files say: its tables are new.
    pub at_once: bool,
    /// The history is made first: who may read it then.
    pub new_history: Option<HistoryReaders>,
}

/// A migration that is not yet applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingFile {
    pub version: Version,
    pub file: String,
    /// It runs outside a transaction, in the session of a role that is made for it.
    pub logs_in: bool,
}

/// Who reads a history that is new: default privileges gave the tenant more than it may have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryReaders {
    pub table: String,
    /// The username, unless it owns.
    pub tenant: Option<String>,
    /// Who must be granted what it reads.
    pub keeper: Option<String>,
}

/// Those that wait until the tenant's transaction is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateMigrations {
    pub schema: String,
    pub owner: String,
    pub transactions: Vec<Transaction>,
    /// Of the owner: each transaction begins with them, and gives them back.
    pub rights: Option<Rights>,
    /// Some run outside a transaction.
    pub log_in: bool,
}

impl Migrate {
    /// The files of these versions, as they run on a server of this major version.
    pub(in crate::core::plan) fn set_files(&mut self, set: &MigrationSet, pending: &[Version], major: i32) {
        let files = pending.iter().filter_map(|version| set.get(*version));
        self.files = files
            .map(|file| PendingFile { version: file.version(), file: file.file.clone(), logs_in: file.no_transaction })
            .collect();
        self.transactions = set.transactions(pending, major);
    }

    /// All in one transaction, and nothing after it.
    pub(in crate::core::plan) fn set_at_once(&mut self) {
        self.transactions = vec![Transaction { versions: self.versions(), begins: Begins::Fresh }];
        self.files.iter_mut().for_each(|file| file.logs_in = false);
        self.at_once = true;
    }

    /// As the history says.
    pub(in crate::core::plan) fn set_applied(&mut self, applied: &[Applied]) {
        self.last = applied.last().map(|last| last.version);
    }

    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        self.files.iter().map(|file| file.version).collect()
    }

    /// Those that run in the tenant's own transaction.
    #[must_use]
    pub fn now(&self) -> &[Version] {
        let first = self.transactions.first().filter(|first| first.begins != Begins::Outside);
        first.map_or(&[], |first| &first.versions)
    }

    #[must_use]
    pub fn late(&self, rights: Option<Rights>) -> Option<LateMigrations> {
        let now = usize::from(!self.now().is_empty());
        let transactions: Vec<Transaction> = self.transactions.iter().skip(now).cloned().collect();
        let runs_late = |version: &Version| transactions.iter().any(|late| late.versions.contains(version));
        let log_in = self.files.iter().any(|file| file.logs_in && runs_late(&file.version));
        let (schema, owner) = (self.schema.clone(), self.owner.clone());
        (!transactions.is_empty()).then_some(LateMigrations { schema, owner, transactions, rights, log_in })
    }

    /// What runs right after the history is made; nothing when it is there already.
    #[must_use]
    pub fn history_sql(&self) -> Vec<String> {
        let Some(HistoryReaders { table, tenant, keeper }) = &self.new_history else { return Vec::new() };
        let on = format!("TABLE {}", qualified(&self.schema, table));
        let mut sql = Vec::new();
        if let Some(user) = tenant {
            let user = ident(user);
            sql.push(format!("REVOKE ALL ON {on} FROM {user}"));
            sql.push(format!("GRANT SELECT ON {on} TO {user}"));
        }
        sql.extend(keeper.as_ref().map(|keeper| format!("GRANT SELECT ON {on} TO {}", ident(keeper))));
        sql
    }

    fn file(&self, version: Version) -> Option<String> {
        let file = self.files.iter().find(|file| file.version == version)?;
        Some(format!("-- {}", file.file))
    }

    /// For whoever waits: a migration is known by its file.
    #[must_use]
    pub fn in_progress(&self) -> String {
        match self.files.as_slice() {
            [] => self.what(),
            [one] => one.file.clone(),
            [first, .., last] => format!("{} to {}", first.file, last.file),
        }
    }
}

impl Action for Migrate {
    fn kind(&self) -> Kind {
        Kind::Migrate
    }

    fn what(&self) -> String {
        match self.files.as_slice() {
            [one] => format!("migration {}", one.file.trim_end_matches(".sql")),
            many => format!("{} migrations", many.len()),
        }
    }

    fn before(&self) -> Option<String> {
        Some(self.last.map_or("no migration".to_owned(), |last| self.format.label(last)))
    }

    fn after(&self) -> Option<String> {
        Some(match (self.files.last(), self.last) {
            // A U file that comes late: the highest version stays what it is.
            (Some(file), Some(last)) if file.version < last => {
                format!("{}, and {} before it", self.format.label(last), self.format.late_label(file.version))
            }
            (Some(file), _) => self.format.label(file.version),
            (None, _) => String::new(),
        })
    }

    /// The files, as comments, with what does not share the transaction of those before it; the history's own SQL is for the
    /// tenant's transaction.
    fn sql(&self) -> Vec<Sql> {
        let mut lines = Vec::new();
        let mut history = Some(self.history_sql());
        for (n, Transaction { versions, begins }) in self.transactions.iter().enumerate() {
            match begins {
                Begins::Fresh if n == 0 => {}
                Begins::Fresh => lines.push("-- in a transaction of its own:".to_owned()),
                Begins::Outside => {
                    lines.extend(history.take().into_iter().flatten());
                    lines.push("-- after COMMIT, outside a transaction, logged in with the owner's rights alone:".to_owned());
                }
                Begins::AfterLabel { file, name } => lines.push(format!(
                    "-- after COMMIT, in a transaction of its own: {file} adds a label to {name}, which cannot be used before:"
                )),
            }
            lines.extend(versions.iter().filter_map(|version| self.file(*version)));
            lines.extend(history.take().into_iter().flatten());
        }
        statements(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::migrations::MigrationFile;

    #[test]
    fn the_first_late_file_ends_the_transaction_of_the_others() {
        let file = |name: &str, sql: &str| MigrationFile::parse(name, sql).unwrap();
        let late = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);";
        let set = MigrationSet::new("h", vec![file("V1__a.sql", ""), file("V2__b.sql", late), file("V3__c.sql", "")]);
        let set = set.unwrap();
        let split = |pending: &[Version]| {
            let mut migrate = Migrate {
                schema: "s".into(),
                owner: "o".into(),
                files: Vec::new(),
                last: None,
                format: Format::Refinery,
                transactions: Vec::new(),
                at_once: false,
                new_history: None,
            };
            migrate.set_files(&set, pending, 18);
            let late = migrate.late(None);
            let late: Vec<Version> =
                late.iter().flat_map(|late| &late.transactions).flat_map(|t| t.versions.clone()).collect();
            (migrate.now().to_vec(), late)
        };
        assert_eq!(split(&[1, 2, 3]), (vec![1], vec![2, 3]));
        assert_eq!(split(&[2, 3]), (vec![], vec![2, 3]));
        assert_eq!(split(&[1]), (vec![1], vec![]));
    }
}
