//! Enums as one transaction may make them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::enums::{At, EnumChange, of};
use super::file::MigrationFile;
use crate::core::model::literal;

/// An enum that one of the files makes.
struct Made {
    /// The file, and the statement in it.
    place: (usize, usize),
    list: Range<usize>,
    /// What each label is called as it is made, and by now.
    labels: Vec<(String, String)>,
}

/// Enums are made with the labels that later statements add, and those statements are left out: so one transaction
/// may hold them all, on every version, and comes to the same types.
pub(super) fn up_front(files: &mut [&mut MigrationFile]) {
    let mut made: Vec<Made> = Vec::new();
    let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
    let mut done = BTreeSet::new();
    for (f, file) in files.iter().enumerate() {
        for (s, statement) in file.statements.iter().enumerate() {
            match of(statement) {
                Some(EnumChange::Makes { name, labels, list }) => {
                    by_name.remove(&name);
                    if let Some(labels) = labels {
                        by_name.insert(name, made.len());
                        let labels = labels.into_iter().map(|label| (label.clone(), label)).collect();
                        made.push(Made { place: (f, s), list, labels });
                    }
                }
                Some(EnumChange::Adds { name, label: Some((label, at)), if_not_exists }) => {
                    let found = by_name.get(&name).and_then(|n| made.get_mut(*n));
                    if found.is_some_and(|made| made.adds(&label, if_not_exists, &at)) {
                        done.insert((f, s));
                    }
                }
                Some(EnumChange::RenamesLabel { name, from, to }) => {
                    let labels = by_name.get(&name).and_then(|n| made.get_mut(*n)).map(|made| &mut made.labels);
                    if let Some(label) = labels.and_then(|all| all.iter_mut().find(|label| label.1 == from)) {
                        label.1 = to;
                    }
                }
                Some(EnumChange::RenamesType { name, to }) => {
                    if let Some(n) = by_name.remove(&name) {
                        by_name.insert(to, n);
                    }
                }
                Some(EnumChange::Adds { label: None, .. }) | None => {}
            }
        }
    }
    for Made { place: (f, s), list, labels } in made {
        let labels: Vec<String> = labels.iter().map(|(label, _)| literal(label)).collect();
        files[f].statements[s].sql.replace_range(list, &format!("({})", labels.join(", ")));
    }
    for (f, file) in files.iter_mut().enumerate() {
        let mut s = 0;
        file.statements.retain(|_| {
            s += 1;
            !done.contains(&(f, s - 1))
        });
        file.enums.clear();
    }
}

impl Made {
    /// Whether the statement has nothing left to do.
    fn adds(&mut self, label: &str, if_not_exists: bool, at: &At) -> bool {
        if self.labels.iter().any(|(_, now)| now == label) {
            return if_not_exists;
        }
        let position = |wanted: &str| self.labels.iter().position(|(_, now)| now == wanted);
        let index = match at {
            At::End => Some(self.labels.len()),
            At::Before(other) => position(other),
            At::After(other) => position(other).map(|index| index + 1),
        };
        // A name that another label had before: only one of them can have it as the type is made.
        let is_taken = self.labels.iter().any(|(first, _)| first == label);
        let Some(index) = index.filter(|_| !is_taken) else { return false };
        self.labels.insert(index, (label.to_owned(), label.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::migrations::Statement;

    #[test]
    fn what_statements_do_to_enums_is_the_parsers_to_say() {
        let adds = |sql: &str| match of(&Statement::new(sql, 1)) {
            Some(EnumChange::Adds { name, label, .. }) => Some((name, label)),
            _ => None,
        };
        let mood = |at: At| Some(("mood".to_owned(), Some(("b".to_owned(), at))));
        assert_eq!(adds("ALTER TYPE mood ADD VALUE 'b'"), mood(At::End));
        let spelled = "alter /* x */ type \"s\".Mood add value if not exists 'b' before 'a'";
        assert_eq!(adds(spelled), mood(At::Before("a".into())));
        assert_eq!(adds("ALTER TYPE mood ADD VALUE E'b'"), Some(("mood".to_owned(), None)));
        for sql in [
            "SELECT 'ALTER TYPE mood ADD VALUE ''b'''",
            "ALTER TYPE mood RENAME TO value",
            "CREATE TYPE t AS (value int)",
        ] {
            assert_eq!(adds(sql), None, "{sql}");
        }
    }

    #[test]
    fn one_transaction_comes_to_the_same_enums() {
        let file = |name: &str, sql: &str| MigrationFile::parse(name, sql).unwrap();
        let mut files = [
            file("V1__a.sql", "CREATE TYPE mood AS ENUM ('a', 'it''s');\nCREATE TABLE t (m mood);"),
            file("V2__b.sql", "ALTER TYPE mood ADD VALUE 'b' AFTER 'a';\nALTER TYPE mood RENAME VALUE 'a' TO 'z';"),
            file(
                "V3__c.sql",
                "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'b';\nALTER TYPE mood ADD VALUE 'c' BEFORE 'z';\nINSERT INTO t VALUES ('c');",
            ),
            file("V4__d.sql", "ALTER TYPE mood ADD VALUE 'a';\nALTER TYPE other ADD VALUE 'x';"),
        ];
        up_front(&mut files.iter_mut().collect::<Vec<_>>());
        let sql: Vec<Vec<&str>> =
            files.iter().map(|file| file.statements.iter().map(|one| one.sql.as_str()).collect()).collect();
        assert_eq!(sql[0], ["CREATE TYPE mood AS ENUM ('c', 'a', 'b', 'it''s')", "CREATE TABLE t (m mood)"]);
        assert_eq!(sql[1], ["ALTER TYPE mood RENAME VALUE 'a' TO 'z'"]);
        assert_eq!(sql[2], ["INSERT INTO t VALUES ('c')"]);
        assert_eq!(sql[3].len(), 2, "what cannot be made up front stays");
    }
}
