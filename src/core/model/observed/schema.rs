//! A tenant's schema and what is in it.

use std::collections::BTreeSet;

use super::column::Column;
use super::history::History;
use crate::core::model::acl::Acl;

/// From here on what reads or rewrites a whole table is felt: a second or more. Up to here `lock_timeout` of those who wait
/// is rarely passed.
pub const LARGE_TABLE_BYTES: i64 = 100 * 1024 * 1024;

/// A tenant's schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub oid: u32,
    pub owner: String,
    /// With PostgreSQL's built-in default where it was never changed.
    pub acl: Acl,
    /// The objects, grouped by what matters about them.
    pub objects: Vec<ObjectGroup>,
    /// Those of them, one by one, that the migrations made and the username owns. An example is the name as
    /// `pg_identify_object` has it, without the schema.
    pub taken: Vec<ObjectGroup>,
    pub default_acls: Vec<DefaultAcl>,
    pub history: History,
    /// The name of the history's table, where that is the remembered one and not the configured one.
    pub history_called: Option<String>,
    /// Tables that are like a history and are not the one above: one of the configured name beside the remembered one; where
    /// there is neither, ordinary tables of the owner with refinery's columns.
    pub like_history: Vec<String>,
    /// Tables, partitioned ones included.
    pub tables: i64,
    /// On disk, of all relations.
    pub bytes: i64,
    /// Tables, indexes, sequences, views.
    pub relations: i64,
    /// Tables of [`LARGE_TABLE_BYTES`] and more.
    pub large_tables: BTreeSet<String>,
    /// What lies outside and would go with it; looked for only where a removal is planned.
    pub dependents: Vec<Dependent>,
}

/// Something outside of a tenant's schema that its DROP would take along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// As PostgreSQL describes it, such as "table cold.events_2020".
    pub what: String,
    /// The statement that keeps it, where there is one: for partitions and children of the tenant's tables.
    pub remedy: Option<String>,
}

impl Schema {
    /// The locks that a DROP takes, estimated. Measured on 15: 3 for each relation in a schema of bare tables, 4.3 where
    /// they have an identity, a unique column, a default and a CHECK (types, constraints and TOAST tables are locked too);
    /// 1 for a function.
    #[must_use]
    pub fn locks(&self) -> i64 {
        let is_other = |kind| matches!(kind, ObjectKind::Function | ObjectKind::Type | ObjectKind::Other);
        let others = self.objects.iter().filter(|group| is_other(group.kind));
        5 * self.relations + 2 * others.map(|group| group.count).sum::<i64>()
    }
}

/// What kind of privileges an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Tables, views, materialized views, foreign tables.
    Table,
    Sequence,
    Function,
    Type,
    /// What has an owner and no privileges: collations, operators and their classes, text search objects, statistics.
    Other,
}

impl ObjectKind {
    /// Those that have privileges.
    pub const ALL: [Self; 4] = [Self::Table, Self::Sequence, Self::Function, Self::Type];

    /// The letter of `pg_default_acl.defaclobjtype`, where it has one.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Table => 'r',
            Self::Sequence => 'S',
            Self::Function => 'f',
            Self::Type => 'T',
            Self::Other => 'o',
        }
    }

    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Other]).find(|kind| kind.letter() == letter)
    }

    /// In lower case.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Type => "type",
            Self::Other => "other",
        }
    }

    /// The plural of `ALTER DEFAULT PRIVILEGES`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Table => "TABLES",
            Self::Sequence => "SEQUENCES",
            Self::Function => "FUNCTIONS",
            Self::Type => "TYPES",
            Self::Other => "OTHERS",
        }
    }
}

/// Objects of one kind in one schema with one owner and one ACL.
#[derive(Clone, Debug)]
pub struct ObjectGroup {
    pub kind: ObjectKind,
    pub owner: String,
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    /// The columns that have privileges of their own, in their order.
    pub columns: Vec<Column>,
    pub count: i64,
    /// The first few names.
    pub examples: Vec<String>,
}

/// A row of `pg_default_acl` in a tenant's schema.
#[derive(Clone, Debug)]
pub struct DefaultAcl {
    /// Whose future objects it is about.
    pub role: String,
    pub kind: ObjectKind,
    pub acl: Acl,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_takes_locks_on_every_relation_and_what_hangs_on_it_and_on_everything_else() {
        let group = |kind, count| ObjectGroup {
            kind,
            owner: "o".into(),
            acl: Acl::default(),
            columns: Vec::new(),
            count,
            examples: Vec::new(),
        };
        let objects = vec![group(ObjectKind::Table, 3), group(ObjectKind::Function, 4), group(ObjectKind::Other, 1)];
        assert_eq!(Schema { relations: 8, objects, ..Schema::default() }.locks(), 5 * 8 + 2 * 5);
    }

    #[test]
    fn every_kind_of_object_is_known_by_its_letter_and_named_as_postgresql_does() {
        let kinds =
            [ObjectKind::Table, ObjectKind::Sequence, ObjectKind::Function, ObjectKind::Type, ObjectKind::Other];
        assert_eq!(kinds.map(|kind| ObjectKind::from_letter(kind.letter())), kinds.map(Some));
        assert_eq!(ObjectKind::from_letter('n'), None);
        assert_eq!(kinds.map(ObjectKind::letter), ['r', 'S', 'f', 'T', 'o']);
        assert_eq!(kinds.map(ObjectKind::singular), ["table", "sequence", "function", "type", "other"]);
        assert_eq!(kinds.map(ObjectKind::plural), ["TABLES", "SEQUENCES", "FUNCTIONS", "TYPES", "OTHERS"]);
    }
}
