//! What differs between two shapes, each in words.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Object, ObjectName, PartName, Shape};

/// One thing that is not as the migrations give it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Such as "table users".
    pub object: String,
    /// Such as "column phone"; absent when it is about the object as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    pub kind: DifferenceKind,
    /// The definition there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<String>,
    /// The definition that the migrations give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    Missing,
    Extra,
    Different,
    /// The columns are the same, in a different order.
    Order,
}

/// A definition longer than this, in characters, or of several lines is for `show --shape`.
const SHORT: usize = 120;

impl Difference {
    fn new(object: &ObjectName, part: Option<&PartName>, kind: DifferenceKind, observed: &str, desired: &str) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            object: object.to_string(),
            part: part.map(ToString::to_string),
            kind,
            observed: some(observed),
            desired: some(desired),
        }
    }
}

impl Difference {
    /// An object that somebody gave to another role than owns what migrations make.
    #[must_use]
    pub fn owner(object: String, observed: &str, desired: &str) -> Self {
        Self {
            object,
            part: Some("owner".into()),
            kind: DifferenceKind::Different,
            observed: Some(observed.into()),
            desired: Some(desired.into()),
        }
    }

    /// Not a part too many, but an object as a whole.
    #[must_use]
    pub fn is_extra_object(&self) -> bool {
        self.kind == DifferenceKind::Extra && self.part.is_none()
    }

    /// A table has its row level security or its replica identity; other definitions are what a thing is.
    fn verb(&self, observed: &str) -> &'static str {
        let is_option =
            ["ROW LEVEL", "FORCE ROW", "REPLICA", "WITH (", "WITHOUT"].iter().any(|word| observed.starts_with(word));
        if self.part.is_none() && is_option { "has" } else { "is" }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What has parts is a table, unless the word says otherwise.
        let holder = self.object.strip_prefix("table ").unwrap_or(&self.object);
        let short = |text: &Option<String>| {
            text.as_deref().filter(|text| text.chars().count() <= SHORT && !text.contains('\n')).map(str::to_owned)
        };
        let (observed, desired) = (short(&self.observed), short(&self.desired));
        match (self.kind, &self.part) {
            (DifferenceKind::Missing, None) => write!(f, "{} is missing", self.object),
            (DifferenceKind::Extra, None) => write!(f, "an extra {}", self.object),
            (DifferenceKind::Missing, Some(part)) => write!(f, "{holder} lacks {part}"),
            (DifferenceKind::Extra, Some(part)) => {
                write!(f, "{holder} has an extra {part}")?;
                observed.map_or(Ok(()), |text| write!(f, " ({text})"))
            }
            (DifferenceKind::Order, _) => write!(f, "{holder} has its columns in a different order"),
            (DifferenceKind::Different, part) => {
                let what = part.as_ref().map_or_else(|| self.object.clone(), |part| format!("{holder}: {part}"));
                match (observed, desired) {
                    (Some(observed), Some(desired)) => {
                        write!(f, "{what} {} {observed}, not {desired}", self.verb(&observed))
                    }
                    (None, Some(desired)) if self.observed.is_none() => {
                        write!(f, "{what} is missing: the migrations create {desired}")
                    }
                    (Some(observed), None) if self.desired.is_none() => {
                        write!(f, "{what} {} {observed}, which the migrations do not create", self.verb(&observed))
                    }
                    // As a trigger that was disabled is, at the end of a long definition.
                    _ => match added(self.observed.as_deref(), self.desired.as_deref()) {
                        Some(more) => write!(f, "{what}: also {more}"),
                        None => write!(f, "{what} is defined differently"),
                    },
                }
            }
        }
    }
}

/// What one definition has after all that the other has, when it is short.
fn added<'a>(observed: Option<&'a str>, desired: Option<&str>) -> Option<&'a str> {
    let more = observed?.strip_prefix(desired?)?.strip_prefix(' ')?;
    (more.chars().count() <= SHORT && !more.contains('\n')).then_some(more)
}

/// What differs, and the partitions there are beyond the reference's: those come and go with the data.
#[must_use]
pub fn compare(observed: &Shape, desired: &Shape) -> (Vec<Difference>, Vec<ObjectName>) {
    let mut differences = Vec::new();
    let mut partitions = Vec::new();
    let names: BTreeSet<_> = observed.objects.keys().chain(desired.objects.keys()).collect();
    for name in names {
        match (observed.objects.get(name), desired.objects.get(name)) {
            (Some(have), None) if have.is_partition => partitions.push(name.clone()),
            (Some(have), None) => {
                differences.push(Difference::new(name, None, DifferenceKind::Extra, &have.definition, ""));
            }
            (None, Some(want)) => {
                differences.push(Difference::new(name, None, DifferenceKind::Missing, "", &want.definition));
            }
            (Some(have), Some(want)) => one_object(name, have, want, &mut differences),
            (None, None) => {}
        }
    }
    (differences, partitions)
}

fn one_object(name: &ObjectName, have: &Object, want: &Object, differences: &mut Vec<Difference>) {
    if have.definition != want.definition {
        differences.push(Difference::new(name, None, DifferenceKind::Different, &have.definition, &want.definition));
    }
    let before = differences.len();
    let parts: BTreeSet<_> = have.parts.keys().chain(want.parts.keys()).collect();
    for part in parts {
        let texts = [have, want].map(|object| object.parts.get(part).map(|part| part.definition.as_str()));
        let kind = match texts {
            [Some(have), Some(want)] if have != want => DifferenceKind::Different,
            [Some(_), None] => DifferenceKind::Extra,
            [None, Some(_)] => DifferenceKind::Missing,
            _ => continue,
        };
        let [have, want] = texts.map(Option::unwrap_or_default);
        differences.push(Difference::new(name, Some(part), kind, have, want));
    }
    // The order of the columns both have.
    let common = |object, other: &Object| -> Vec<_> {
        Shape::columns(object).into_iter().filter(|column| other.parts.contains_key(column)).cloned().collect()
    };
    if common(have, want) != common(want, have) {
        differences.insert(before, Difference::new(name, None, DifferenceKind::Order, "", ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn shape(rows: &[(&str, &str, i64, &str)]) -> Shape {
        let mut shape = Shape::default();
        for (object, part, position, definition) in rows {
            let split = |text: &str| text.split_once(' ').map(|(kind, name)| (kind.to_owned(), name.to_owned()));
            let (kind, name) = split(object).unwrap();
            let part = split(part).map(|(kind, name)| PartName { kind, name });
            shape.insert(ObjectName { kind, name }, part, *position, (*definition).to_owned(), false);
        }
        shape
    }

    fn words(observed: &Shape, desired: &Shape) -> Vec<String> {
        compare(observed, desired).0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_difference_reads_as_a_person_would_say_it() {
        let desired = shape(&[
            ("table users", "", 0, ""),
            ("table users", "column id", 1, "bigint NOT NULL"),
            ("table users", "column email", 2, "text"),
            ("table users", "index users_email_idx", 0, "CREATE INDEX …"),
            ("table orders", "", 0, ""),
            ("function f()", "", 0, "() RETURNS integer\n SELECT 1"),
            ("table users", "rule r", 0, "CREATE RULE r\n ON DELETE"),
        ]);
        let observed = shape(&[
            ("table users", "", 0, "ROW LEVEL SECURITY"),
            ("table users", "column email", 1, "character varying(20)"),
            ("table users", "column id", 2, "bigint NOT NULL"),
            ("table users", "column phone", 3, "text"),
            ("view v", "", 0, "SELECT 1"),
            ("function f()", "", 0, "() RETURNS integer\n SELECT 2"),
            ("table users", "rule r", 0, "CREATE RULE r\n ON DELETE DISABLED"),
        ]);
        insta::assert_snapshot!(words(&observed, &desired).join("\n"), @r"
        function f() is defined differently
        table orders is missing
        table users has ROW LEVEL SECURITY, which the migrations do not create
        users has its columns in a different order
        users: column email is character varying(20), not text
        users has an extra column phone (text)
        users lacks index users_email_idx
        users: rule r: also DISABLED
        an extra view v
        ");
        assert!(words(&desired, &desired).is_empty());
    }

    #[test]
    fn partitions_beyond_the_reference_are_told_apart() {
        let mut observed = Shape::default();
        let name = ObjectName { kind: "table".into(), name: "orders_2026".into() };
        observed.insert(name.clone(), None, 0, "PARTITION OF orders …".into(), true);
        assert_eq!(compare(&observed, &Shape::default()), (Vec::new(), vec![name]));
    }
}
