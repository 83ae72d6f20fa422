//! The shape of a tenant's schema: its objects and their parts, as the catalogs define them, without rows and rights.
//!
//! Held against the shape that the migrations give, so that a column somebody added by hand is seen. Pure; `inspect`
//! reads shapes, `deep` makes the reference.

mod compare;
mod names;
mod report;
mod text;

pub use compare::{Difference, DifferenceKind, compare};
pub use names::Names;
pub use report::{Group, OwnObjects, Report, UnseenShape};
pub use text::text;

use std::collections::BTreeMap;

/// The objects of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub objects: BTreeMap<ObjectName, Object>,
}

/// Such as table `users`, or function `f(a integer)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    pub kind: String,
    pub name: String,
}

/// One object, with what is said of it as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    pub definition: String,
    /// A partition comes and goes with the data.
    pub is_partition: bool,
    pub parts: BTreeMap<PartName, Part>,
}

/// Such as column `email`, or index `users_email_idx`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    pub kind: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Among columns, from 1; 0 for what has no order.
    pub position: i64,
    pub definition: String,
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl std::fmt::Display for PartName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Shape {
    /// An object as a whole, or one part of one, as the catalogs tell them: row by row.
    pub fn insert(
        &mut self,
        object: ObjectName,
        part: Option<PartName>,
        position: i64,
        definition: String,
        is_partition: bool,
    ) {
        let object = self.objects.entry(object).or_default();
        object.is_partition = is_partition;
        match part {
            Some(part) => drop(object.parts.insert(part, Part { position, definition })),
            None => object.definition = definition,
        }
    }

    /// Whether there is an object with this title, such as "table users".
    #[must_use]
    pub fn has(&self, title: &str) -> bool {
        self.objects.keys().any(|name| name.to_string() == title)
    }

    /// Only the items with these titles, such as "table users" and "table users column id".
    #[must_use]
    pub fn only(&self, titles: &[String]) -> Self {
        let mut only = Self::default();
        for (name, object) in &self.objects {
            let title = name.to_string();
            if titles.contains(&title) {
                only.insert(name.clone(), None, 0, object.definition.clone(), object.is_partition);
            }
            for (part, found) in &object.parts {
                if titles.contains(&format!("{title} {part}")) {
                    only.insert(
                        name.clone(),
                        Some(part.clone()),
                        found.position,
                        found.definition.clone(),
                        object.is_partition,
                    );
                }
            }
        }
        only
    }

    /// The columns of an object, in their order.
    fn columns(object: &Object) -> Vec<&PartName> {
        let mut columns: Vec<_> = object.parts.iter().filter(|(_, part)| part.position > 0).collect();
        columns.sort_by_key(|(_, part)| part.position);
        columns.into_iter().map(|(name, _)| name).collect()
    }
}
