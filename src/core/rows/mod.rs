//! Rows that tenants were asked for, and what they are together: one table with a column `tenant`.

mod reading;
mod union;

pub use reading::{NotReading, Reading};
pub use union::{unambiguous, union};

use super::model::TenantKey;

/// How the values of a column are to be read. They are text as PostgreSQL prints them, whatever their type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `t` or `f`.
    Bool,
    Integer,
    /// Of any size and precision; also `NaN` and `Infinity`.
    Number,
    Json,
    Text,
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

/// A row; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// Some rows, in the order they came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// There were more.
    pub cut: Option<Cut>,
}

/// Why not all rows are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// So many were asked for at most.
    Rows(usize),
    /// One tenant's take so many bytes at most.
    Bytes(usize),
    /// All tenants' together do.
    BytesOfAll(usize),
}

/// What one tenant answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub tenant: TenantKey,
    pub said: Said,
}

/// What came of asking a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Rows(Rows),
    Failed(Fault),
    /// It was not asked, and why.
    Skipped(String),
}

/// Why a tenant gave no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub sqlstate: Option<String>,
    pub hint: Option<String>,
}
