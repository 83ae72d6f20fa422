//! What each `access` means in PostgreSQL's privileges (manual, "Privileges").

use crate::core::model::{Access, ObjectKind};

/// The letters a tenant's username holds on its schema. With `access = "owner"` it owns: no grant.
#[must_use]
pub fn schema_privileges(access: Access) -> &'static str {
    match access {
        Access::Full => "CU",
        Access::Owner => "",
        Access::Readwrite | Access::Readonly => "U",
    }
}

/// The letters, sorted, a tenant's username holds on objects the migrations made.
///
/// Never TRIGGER (t): a trigger runs with the rights of whoever fires it.
#[must_use]
pub fn object_privileges(access: Access, kind: ObjectKind, major: i32) -> &'static str {
    match (access, kind) {
        (Access::Owner, _) => "",
        // MAINTAIN (m) is new in 17.
        (Access::Full, ObjectKind::Table) if major >= 17 => "Dadmrwx",
        (Access::Full, ObjectKind::Table) => "Dadrwx",
        (Access::Readwrite, ObjectKind::Table) => "adrw",
        (Access::Readonly, ObjectKind::Table) => "r",
        (Access::Full, ObjectKind::Sequence) => "Urw",
        (Access::Readwrite, ObjectKind::Sequence) => "Ur",
        (Access::Readonly, ObjectKind::Sequence) => "r",
        (_, ObjectKind::Function) => "X",
        (_, ObjectKind::Type) => "U",
        (_, ObjectKind::Other) => "",
    }
}

/// The letters, sorted, that the owner of an object holds by itself (`acldefault`).
#[must_use]
pub fn owners_privileges(kind: ObjectKind, major: i32) -> &'static str {
    match kind {
        ObjectKind::Table if major >= 17 => "Dadmrtwx",
        ObjectKind::Table => "Dadrtwx",
        ObjectKind::Sequence => "Urw",
        ObjectKind::Function => "X",
        ObjectKind::Type => "U",
        ObjectKind::Other => "",
    }
}

/// Those of a schema's owner.
pub const OWNERS_ON_SCHEMA: &str = "CU";

/// The letters as GRANT spells them.
pub(super) fn spell(letters: &str) -> String {
    words_of(letters).collect::<Vec<_>>().join(", ")
}

/// Each letter as GRANT spells it.
pub(super) fn words_of(letters: &str) -> impl Iterator<Item = &'static str> {
    // In the manual's order, so that a plan reads as people write GRANTs.
    const WORDS: [(char, &str); 12] = [
        ('r', "SELECT"),
        ('a', "INSERT"),
        ('w', "UPDATE"),
        ('d', "DELETE"),
        ('D', "TRUNCATE"),
        ('x', "REFERENCES"),
        ('t', "TRIGGER"),
        ('m', "MAINTAIN"),
        ('U', "USAGE"),
        ('C', "CREATE"),
        ('X', "EXECUTE"),
        ('T', "TEMPORARY"),
    ];
    WORDS.iter().filter(move |(letter, _)| letters.contains(*letter)).map(|(_, word)| *word)
}

/// The letters for a person: "none" where there are none.
pub(crate) fn in_words(letters: &str) -> String {
    if letters.is_empty() { "none".into() } else { spell(letters) }
}

/// A possibly differently ordered set of letters, sorted.
pub(super) fn sorted(letters: &str) -> String {
    let mut letters: Vec<char> = letters.chars().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_access_holds_trigger_and_letters_are_sorted() {
        for access in [Access::Full, Access::Owner, Access::Readwrite, Access::Readonly] {
            for kind in ObjectKind::ALL {
                for major in [14, 18] {
                    let letters = object_privileges(access, kind, major);
                    assert!(!letters.contains('t'));
                    assert_eq!(sorted(letters), letters);
                }
            }
        }
        assert_eq!(spell("Dadmrwx"), "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, MAINTAIN");
    }
}
