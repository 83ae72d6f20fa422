//! Which files share a transaction, and what of a COMMIT between two of them is made up for where they do.
//!
//! refinery gives each file a transaction of its own. Here a tenant's pending files share one, as far as PostgreSQL lets them.

use std::collections::BTreeSet;

use super::Version;
use super::enums::EnumChange;
use super::set::MigrationSet;

/// From this version on a label that is added to an enum as new as itself may be used at once.
const NEW_ENUMS_ARE_WHOLE: i32 = 17;

/// Files that run in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub versions: Vec<Version>,
    pub begins: Begins,
}

/// Why files do not run in the transaction of those before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begins {
    /// None are before them, or only one that ran outside a transaction.
    Fresh,
    /// The one file runs outside a transaction.
    Outside,
    /// This file adds a label to this enum, and nothing may use the label before COMMIT.
    AfterLabel { file: String, name: String },
}

impl MigrationSet {
    /// The transactions that these versions run in, in order, on a server of this major version.
    #[must_use]
    pub fn transactions(&self, versions: &[Version], major: i32) -> Vec<Transaction> {
        let mut all: Vec<Transaction> = Vec::new();
        let mut made: BTreeSet<&str> = BTreeSet::new();
        let mut label = None;
        for version in versions {
            let file = self.get(*version);
            let begins = match all.last() {
                _ if file.is_some_and(|file| file.no_transaction) => Some(Begins::Outside),
                None => Some(Begins::Fresh),
                Some(before) if before.begins == Begins::Outside => Some(Begins::Fresh),
                Some(_) => label.take(),
            };
            if let Some(begins) = begins {
                made.clear();
                label = None;
                all.push(Transaction { versions: Vec::new(), begins });
            }
            all.last_mut().into_iter().for_each(|last| last.versions.push(*version));
            for change in file.iter().flat_map(|file| &file.enums) {
                match change {
                    EnumChange::Makes { name, .. } => drop(made.insert(name)),
                    EnumChange::Adds { name, .. } if major < NEW_ENUMS_ARE_WHOLE || !made.contains(name.as_str()) => {
                        let file = file.map(|file| file.file.clone()).unwrap_or_default();
                        label = Some(Begins::AfterLabel { file, name: name.clone() });
                    }
                    _ => {}
                }
            }
        }
        all
    }

    /// Whether anything may be put off to COMMIT: deferrable constraints and constraint triggers, whichever file made
    /// them, and in whatever form; neither can be had without one of these words.
    #[must_use]
    pub fn may_defer(&self) -> bool {
        self.iter().any(|file| file.sql.to_ascii_uppercase().contains("DEFERR"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::migrations::MigrationFile;

    fn set(files: &[&str]) -> MigrationSet {
        let file = |(n, sql): (usize, &&str)| MigrationFile::parse(&format!("V{}__x.sql", n + 1), sql).unwrap();
        MigrationSet::new("h", files.iter().enumerate().map(file).collect()).unwrap()
    }

    fn versions(set: &MigrationSet, versions: &[Version], major: i32) -> Vec<Vec<Version>> {
        set.transactions(versions, major).into_iter().map(|one| one.versions).collect()
    }

    #[test]
    fn a_label_ends_the_transaction_before_the_next_file_unless_its_type_is_as_new() {
        let set = set(&["CREATE TYPE mood AS ENUM ('a')", "ALTER TYPE mood ADD VALUE 'b'", "SELECT 1", "SELECT 2"]);
        assert_eq!(versions(&set, &[1, 2, 3, 4], 16), [vec![1, 2], vec![3, 4]]);
        assert_eq!(versions(&set, &[1, 2, 3, 4], 17), [vec![1, 2, 3, 4]]);
        assert_eq!(versions(&set, &[2, 3, 4], 17), [vec![2], vec![3, 4]]);
        assert_eq!(versions(&set, &[2], 16), [vec![2]], "nothing follows");
        let all = set.transactions(&[2, 3], 18);
        assert_eq!(all[1].begins, Begins::AfterLabel { file: "V2__x.sql".into(), name: "mood".into() });
        assert_eq!(set.transactions(&[3, 4], 18)[0].begins, Begins::Fresh, "what is left goes on by the same rules");
    }

    #[test]
    fn a_file_outside_a_transaction_stands_alone() {
        let late = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);";
        let set = set(&["SELECT 1", late, late, "SELECT 2", "SELECT 3"]);
        assert_eq!(versions(&set, &[1, 2, 3, 4, 5], 18), [vec![1], vec![2], vec![3], vec![4, 5]]);
        assert_eq!(versions(&set, &[2, 4], 18), [vec![2], vec![4]]);
        assert_eq!(set.transactions(&[], 18), []);
    }

    #[test]
    fn anything_deferrable_in_any_file_may_be_put_off_to_commit() {
        let late = "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a) Deferrable INITIALLY IMMEDIATE";
        assert!(set(&["SELECT 1", late]).may_defer());
        assert!(set(&["SET CONSTRAINTS ALL deferred"]).may_defer());
        assert!(!set(&["SELECT 1", "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)"]).may_defer());
    }

    #[test]
    fn temporary_tables_end_with_the_file_that_says_so() {
        let at_commit = |sql: &str| MigrationFile::parse("V1__x.sql", sql).unwrap().at_commit;
        let sql = "CREATE TEMP TABLE \"D\" ON COMMIT DROP AS SELECT 1;\nCREATE TEMPORARY TABLE e (a int) ON COMMIT DELETE ROWS;\n\
                   CREATE TEMP TABLE f (a int) ON COMMIT PRESERVE ROWS;\nCREATE TABLE \"on commit drop\" ();";
        let found = at_commit(sql);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0], "DROP TABLE IF EXISTS pg_temp.\"D\"");
        assert!(found[1].contains("TRUNCATE pg_temp.\"e\";"), "{found:?}");
    }
}
