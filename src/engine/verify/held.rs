//! Every object's privileges, asked of the catalogs at once: what the tenant lacks, what it has beyond its access, and what
//! its owner role lost of what is its own, the schema included.

use std::collections::BTreeSet;

use crate::core::model::{Access, Mode, ObjectKind, Tenant};
use crate::core::plan::{in_words, object_privileges};
use crate::engine::database::Record;

/// Objects that have the same privileges.
pub(super) struct Group {
    kind: Kind,
    held: String,
    /// On the whole, or on a column.
    anywhere: String,
    owner_holds: String,
    count: i64,
    examples: Vec<String>,
}

#[derive(Clone, Copy)]
enum Kind {
    History,
    Schema,
    Object(ObjectKind),
}

/// What a foreign key's check, a view and a function with SECURITY DEFINER need, which run as the owner.
fn of_an_owner(kind: Kind) -> &'static str {
    match kind {
        Kind::History | Kind::Object(ObjectKind::Table) => "adrw",
        Kind::Schema => "CU",
        Kind::Object(ObjectKind::Sequence) => "Urw",
        Kind::Object(ObjectKind::Function) => "X",
        Kind::Object(ObjectKind::Type) => "U",
        Kind::Object(ObjectKind::Other) => "",
    }
}

/// What is wrong, in words, of each of the three.
#[derive(Default)]
pub(super) struct Faults {
    pub lacks: Vec<String>,
    pub beyond: Vec<String>,
    pub owner_lacks: Vec<String>,
    /// Whether what was added by hand stays.
    pub additive: bool,
}

pub(super) fn faults(tenant: &Tenant, major: i32, groups: &[Group]) -> Faults {
    let mut faults = Faults { additive: tenant.mode == Mode::Additive, ..Faults::default() };
    for group in groups {
        let missing = less(of_an_owner(group.kind), &group.owner_holds);
        push(&mut faults.owner_lacks, &format!("{} lacks", tenant.owner()), &missing, group);
        if tenant.access == Access::Owner {
            continue;
        }
        let expected = match group.kind {
            Kind::History => "r",
            // What the tenant may do in it is tried.
            Kind::Schema => continue,
            Kind::Object(kind) => object_privileges(tenant.access, kind, major),
        };
        push(&mut faults.lacks, "it lacks", &less(expected, &group.held), group);
        push(&mut faults.beyond, "it has", &less(&group.anywhere, expected), group);
    }
    faults
}

/// The letters of the first that are not in the second.
fn less(letters: &str, others: &str) -> String {
    let others: BTreeSet<char> = others.chars().collect();
    letters.chars().filter(|letter| !others.contains(letter)).collect()
}

fn push(faults: &mut Vec<String>, who: &str, letters: &str, group: &Group) {
    if letters.is_empty() {
        return;
    }
    let noun = match group.kind {
        Kind::History => "its migration history",
        Kind::Schema => "schema",
        Kind::Object(ObjectKind::Table) => "table",
        Kind::Object(ObjectKind::Sequence) => "sequence",
        Kind::Object(ObjectKind::Function) => "function",
        Kind::Object(ObjectKind::Type) => "type",
        Kind::Object(ObjectKind::Other) => "object",
    };
    let examples = group.examples.join(", ");
    let on = match (group.kind, group.count) {
        (Kind::History, _) => noun.to_owned(),
        (_, 1) => format!("{noun} {examples}"),
        (_, count) => {
            let more = if count > i64::try_from(group.examples.len()).unwrap_or(0) { ", …" } else { "" };
            format!("{count} {noun}s ({examples}{more})")
        }
    };
    faults.push(format!("{who} {} on {on}", in_words(letters)));
}

impl From<&Record> for Group {
    fn from(row: &Record) -> Self {
        let kind = match row.get::<_, &str>("kind") {
            "h" => Kind::History,
            "n" => Kind::Schema,
            "r" => Kind::Object(ObjectKind::Table),
            "S" => Kind::Object(ObjectKind::Sequence),
            "f" => Kind::Object(ObjectKind::Function),
            _ => Kind::Object(ObjectKind::Type),
        };
        Self {
            kind,
            held: row.get("held"),
            anywhere: row.get("anywhere"),
            owner_holds: row.get("owner_holds"),
            count: row.get("count"),
            examples: row.get("examples"),
        }
    }
}
