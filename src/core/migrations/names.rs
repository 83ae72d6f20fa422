//! What a file's name says: refinery's names, the whole name or none of it.
//!
//! refinery's own loader skips what is not `[UV]<number>__<words>.sql` from end to end, with no more than a line in a log,
//! and its constructor reads as much of a name as fits: "add" of `V2__add-index.sql`. Here such a file is refused, so that each
//! file of the directory runs under its whole name, by refinery as well, or is named.

use std::sync::LazyLock;

use regex::Regex;

/// A file that is not what its name says, or not to be run here: what is wrong with it, and what to call it instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misnamed {
    pub message: String,
    pub hint: String,
}

#[allow(clippy::unwrap_used, reason = "constants, compiled by the tests below")]
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

static MIGRATION: LazyLock<Regex> = LazyLock::new(|| regex(r"^[UV]\d+__\w+\.sql$"));
/// What was meant for one: letter, number, what stands between number and name, name.
static MEANT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)^([UV])(\d+)((?:[._]\d+)*)(_*)(.*?)\.sql$"));
static RUST: LazyLock<Regex> = LazyLock::new(|| regex(r"^[UV]\d+(?:\.\d+)?__\w+\.rs$"));

const IS_NOT: &str = "is not named as refinery names migrations";
const AS: &str =
    "name it V<number>__<words>.sql or U<number>__<words>.sql, with two underscores and a number up to 2147483647";

/// Whether a `.sql` file has a name that is read from end to end.
pub(super) fn check(name: &str) -> Result<(), Misnamed> {
    if MIGRATION.is_match(name) {
        return Ok(());
    }
    let misnamed = |why: &str, hint: String| Err(Misnamed { message: format!("{IS_NOT}{why}"), hint });
    let Some(meant) = MEANT.captures(name) else { return misnamed("", AS.into()) };
    let [letter, number, parts, underscores, words] = [1, 2, 3, 4, 5].map(|at| &meant[at]);
    let prefix = letter.to_uppercase();
    let plain: String = words.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    if plain.is_empty() {
        return misnamed("", AS.into());
    }
    let better = format!("name it {prefix}{number}__{plain}.sql");
    if parts.starts_with('.') {
        return misnamed(
            ": its version is not a whole number",
            format!("use a whole number, such as {prefix}{}__{plain}.sql", whole(number, parts)),
        );
    }
    if letter != prefix {
        return misnamed(&format!(": it begins with a lower-case {letter}"), better);
    }
    if !name.ends_with(".sql") {
        return misnamed(": it does not end in .sql, in lower case", better);
    }
    if underscores != "__" || !parts.is_empty() {
        return misnamed("", AS.into());
    }
    let read: String = words.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let odd = words.chars().find(|c| !(c.is_alphanumeric() || *c == '_')).unwrap_or_default();
    // Whoever ran it by refinery's constructor has the part before that character in the histories.
    let before = if read.is_empty() {
        String::new()
    } else {
        format!("; where it was applied as {read:?}, {prefix}{number}__{read}.sql is that migration")
    };
    misnamed(&format!(": {odd:?} is not a letter, digit or underscore"), better + &before)
}

/// 13.1 as a number that leaves room for others: 1301.
fn whole(number: &str, parts: &str) -> String {
    let part = |part: &str| format!("{part:0>2}");
    number.to_owned() + &parts.split(['.', '_']).skip(1).map(part).collect::<String>()
}

/// What another file beside the migrations is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// A migration that cannot run here.
    Fault(Misnamed),
    /// Not run, and said so.
    NotRun,
    /// By its name nobody's content, such as `.gitkeep`.
    Hidden,
}

/// What a file is that does not end in `.sql`.
#[must_use]
pub(super) fn beside(name: &str) -> Beside {
    if RUST.is_match(name) {
        let message = "is a migration in Rust, which only the program that it is compiled into can run".to_owned();
        return Beside::Fault(Misnamed {
            message,
            hint: format!("write it in SQL, as {}.sql", name.trim_end_matches(".rs")),
        });
    }
    if name.starts_with('.') { Beside::Hidden } else { Beside::NotRun }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_from_end_to_end_or_not_at_all() {
        for name in ["V1__a.sql", "U2__b_2.sql", "V0003__größe.sql", "V20261121__x.sql", "V1___x.sql"] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for (name, why, hint) in [
            (
                "V2__add-index.sql",
                ": '-' is not a letter",
                "name it V2__add_index.sql; where it was applied as \"add\", V2__add.sql is that",
            ),
            ("V2__add index.sql", ": ' ' is not a letter", "V2__add_index.sql"),
            ("V2__a.b.sql", ": '.' is not a letter", "V2__a_b.sql"),
            ("V2__x.sql.sql", ": '.' is not a letter", "V2__x_sql.sql"),
            ("V4__x.SQL", ": it does not end in .sql", "name it V4__x.sql"),
            ("v1__x.sql", ": it begins with a lower-case v", "name it V1__x.sql"),
            ("V13.1__x.sql", ": its version is not a whole number", "V1301__x.sql"),
            ("V1.2.3__x.sql", ": its version is not a whole number", "V10203__x.sql"),
            ("V1_x.sql", "", "two underscores"),
            ("V1__.sql", "", "two underscores"),
            ("1__x.sql", "", "two underscores"),
            // refinery's own pattern takes the bar, and its constructor then panics.
            ("|1__x.sql", "", "two underscores"),
            ("x.sql", "", "two underscores"),
        ] {
            let misnamed = check(name).unwrap_err();
            assert!(misnamed.message.starts_with(&format!("{IS_NOT}{why}")), "{name}: {misnamed:?}");
            assert!(misnamed.hint.contains(hint), "{name}: {misnamed:?}");
        }
    }

    /// What the hint says of a file that refinery's constructor was given under its odd name.
    #[test]
    fn the_migration_that_was_recorded_under_half_its_name_is_the_one_of_that_name() {
        let recorded = refinery_core::Migration::unapplied("V2__add-index.sql", "SELECT 1").unwrap();
        let file = crate::core::migrations::MigrationFile::parse("V2__add.sql", "SELECT 1").unwrap();
        assert_eq!((recorded.name(), recorded.checksum().to_string()), (file.name(), file.checksum()));
    }

    #[test]
    fn what_is_no_sql_is_a_fault_a_note_or_nothing() {
        assert!(matches!(beside("V3__fill.rs"), Beside::Fault(_)));
        for name in ["mod.rs", "README.md", "V3__x.sql~", "V3__x.txt", "V3__x.sql.bak"] {
            assert_eq!(beside(name), Beside::NotRun, "{name}");
        }
        for name in [".gitkeep", ".DS_Store", ".V1__x.sql.swp"] {
            assert_eq!(beside(name), Beside::Hidden, "{name}");
        }
    }
}
