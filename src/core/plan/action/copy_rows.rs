//! Rows that a tenant begins with.

use super::rights::Rights;
use super::view::{Action, Kind};
use crate::core::model::{Subject, TenantKey, ident};
use crate::core::plan::statement::{Sql, statements};
use crate::core::words::{count, size};

/// The tables that the migrations have just made are filled: what these put into them gives way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyRows {
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub from: RowsOf,
}

/// Whose rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowsOf {
    /// Another tenant's, as they are at one moment.
    Tenant(Box<CopiedTenant>),
    Archive(ArchivedRows),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopiedTenant {
    pub subject: Subject,
    /// What an admin who is not a superuser reads its tables by.
    pub rights: Option<Rights>,
    /// Bytes, where they were asked for.
    pub bytes: Option<i64>,
}

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedRows {
    pub tenant: TenantKey,
    /// The name of the dump.
    pub file: String,
    pub tables: usize,
    pub rows: u64,
}

impl Action for CopyRows {
    fn kind(&self) -> Kind {
        Kind::CopyRows
    }

    fn what(&self) -> String {
        match &self.from {
            RowsOf::Tenant(from) => format!("rows of tenant {}", from.subject.tenant),
            RowsOf::Archive(from) => format!("rows of {}", from.file),
        }
    }

    fn after(&self) -> Option<String> {
        Some(match &self.from {
            RowsOf::Tenant(from) => match from.bytes {
                Some(bytes) => format!("in schema {}, {}", self.schema, size(bytes)),
                None => format!("in schema {}", self.schema),
            },
            RowsOf::Archive(from) => {
                format!("in schema {}, {}, {}", self.schema, count(from.tables, "table"), count(from.rows, "row"))
            }
        })
    }

    fn sql(&self) -> Vec<Sql> {
        let (schema, owner) = (ident(&self.schema), ident(&self.owner));
        let read = match &self.from {
            RowsOf::Tenant(from) => format!(
                "-- COPY {}... TO STDOUT, of every table, in one REPEATABLE READ transaction that is rolled back",
                ident(&from.subject.schema)
            ),
            RowsOf::Archive(from) => format!("-- pg_restore --data-only --file=- {}", from.file),
        };
        statements([
            format!("-- TRUNCATE of every table in {schema}, without its triggers and foreign keys"),
            read,
            format!("-- INSERT INTO {schema}... and setval() of every sequence, in functions that belong to {owner}"),
            "-- triggers and foreign keys again; materialized views; rows and structure compared".to_owned(),
        ])
    }
}
