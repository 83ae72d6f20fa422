//! The columns of the fleet's table: which are shown, and by which it is sorted.

use std::cmp::Ordering;
use std::str::FromStr;

use super::{ListRow, age};
use crate::core::render::escape::visible;
use crate::core::rows::{self, Kind, Rows};
use crate::core::words::size;

/// A column, called as in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Tenant,
    Schema,
    Username,
    State,
    Class,
    Migration,
    Size,
    Connections,
    SecretAge,
    Rows,
    LastMigration,
}

/// A value; where there is none, it is sorted last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Value<'a> {
    Text(&'a str),
    Number(i64),
}

impl Column {
    pub const ALL: [Self; 11] = [
        Self::Tenant,
        Self::Schema,
        Self::Username,
        Self::State,
        Self::Class,
        Self::Migration,
        Self::Size,
        Self::Connections,
        Self::SecretAge,
        Self::Rows,
        Self::LastMigration,
    ];

    /// Those that are shown when none are named. A fleet without classes needs no column for them.
    #[must_use]
    pub fn usual(fleet: &[ListRow]) -> Vec<Self> {
        let has_classes = fleet.iter().any(|row| row.class.is_some());
        let unusual = |column: &Self| match column {
            Self::Rows | Self::LastMigration => true,
            Self::Class => !has_classes,
            _ => false,
        };
        Self::ALL.into_iter().filter(|column| !unusual(column)).collect()
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Schema => "schema",
            Self::Username => "username",
            Self::State => "state",
            Self::Class => "class",
            Self::Migration => "migration",
            Self::Size => "size",
            Self::Connections => "connections",
            Self::SecretAge => "secret_age",
            Self::Rows => "rows",
            Self::LastMigration => "last_migration",
        }
    }

    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Migration | Self::Size | Self::Connections | Self::SecretAge | Self::Rows)
    }

    fn of(self, row: &ListRow) -> Option<Value<'_>> {
        Some(match self {
            Self::Tenant => Value::Text(&row.tenant),
            Self::Schema => Value::Text(&row.schema),
            Self::Username => Value::Text(&row.username),
            Self::State => Value::Text(&row.state),
            Self::Class => Value::Text(row.class.as_deref()?),
            Self::Migration => Value::Number(row.migration?),
            Self::Size => Value::Number(row.size),
            Self::Connections => Value::Number(row.connections),
            Self::SecretAge => Value::Number(row.secret_age?),
            Self::Rows => Value::Number(row.rows?),
            Self::LastMigration => Value::Text(row.last_migration.as_deref()?),
        })
    }

    /// In units for people.
    #[must_use]
    pub fn shown(self, row: &ListRow) -> String {
        match (self, self.of(row)) {
            (_, None) => "-".to_owned(),
            (Self::Size, Some(Value::Number(bytes))) => size(bytes),
            (Self::SecretAge, Some(Value::Number(seconds))) => age(seconds),
            (_, Some(Value::Number(number))) => number.to_string(),
            (_, Some(Value::Text(text))) => visible(text).into_owned(),
        }
    }
}

impl FromStr for Column {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|column| column.as_str() == name);
        found.ok_or_else(|| {
            format!("no column is called {name:?}; there are {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// A column to sort by: `size`, or `-size` for the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

impl FromStr for Sort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('-');
        Ok(Self { column: name.unwrap_or(text).parse()?, descending: name.is_some() })
    }
}

/// By the first of these, then by the next; rows that are alike keep their order. What is not known comes last either way.
pub fn sort(rows: &mut [ListRow], by: &[Sort]) {
    let order = |sort: &Sort, a: &ListRow, b: &ListRow| match (sort.column.of(a), sort.column.of(b)) {
        (Some(a), Some(b)) if sort.descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    rows.sort_by(|a, b| by.iter().map(|sort| order(sort, a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal));
}

/// Some columns, for a program: sizes in bytes, ages in seconds.
#[must_use]
pub fn table(fleet: &[ListRow], columns: &[Column]) -> Rows {
    let value = |row: &ListRow, column: &Column| {
        column.of(row).map(|value| match value {
            Value::Text(text) => text.to_owned(),
            Value::Number(number) => number.to_string(),
        })
    };
    let kind = |column: &Column| if column.is_number() { Kind::Integer } else { Kind::Text };
    Rows {
        columns: columns
            .iter()
            .map(|column| rows::Column { name: column.as_str().to_owned(), kind: kind(column) })
            .collect(),
        rows: fleet.iter().map(|row| columns.iter().map(|column| value(row, column)).collect()).collect(),
        cut: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::render::list::row;

    #[test]
    fn what_is_not_known_comes_last_and_what_is_alike_keeps_its_order() {
        let mut rows = [("a", Some(1), 5), ("b", None, 9), ("c", Some(2), 5), ("d", Some(2), 7)]
            .map(|(tenant, migration, size)| row(tenant, migration, size, None));
        let mut by = |text: &str| {
            let sorts: Vec<Sort> = text.split(',').map(|sort| sort.parse().unwrap()).collect();
            rows.sort_by(|a, b| a.tenant.cmp(&b.tenant));
            sort(&mut rows, &sorts);
            rows.each_ref().map(|row| row.tenant.clone()).concat()
        };
        assert_eq!(by("migration"), "acdb");
        assert_eq!(by("-migration,-size"), "dcab");
        assert_eq!(by("size,-tenant"), "cadb");
        assert_eq!(by("rows"), "abcd");
    }

    #[test]
    fn a_column_that_is_not_there_is_told_with_those_that_are() {
        for column in Column::ALL {
            assert_eq!(column.as_str().parse(), Ok(column));
        }
        assert!("-sise".parse::<Sort>().unwrap_err().contains("no column is called \"sise\"; there are tenant, "));
    }
}
