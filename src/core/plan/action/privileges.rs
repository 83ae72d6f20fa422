//! Privileges on the schema, on the history, and on what is made next.

use super::view::{Action, Kind};
use crate::core::model::{Grantee, ident, qualified};
use crate::core::plan::acl::{Difference, column_sql, quoted};
use crate::core::plan::privileges::in_words;
use crate::core::plan::statement::{Sql, statements};

/// What one grantee should hold on something, and does not, or holds and should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub on: Granted,
    pub difference: Difference,
    /// What it holds beyond what is declared stays.
    pub keep: bool,
}

/// What GRANT names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    Schema(String),
    History {
        schema: String,
        table: String,
        /// The privilege is on this column.
        column: Option<String>,
    },
    /// What the role will make, in this schema or in every.
    Future {
        role: String,
        schema: Option<String>,
        /// As ALTER DEFAULT PRIVILEGES spells it.
        plural: &'static str,
    },
}

impl Granted {
    pub(in crate::core::plan) fn in_words(&self) -> String {
        match self {
            Self::Schema(schema) => format!("schema {schema}"),
            Self::History { table, .. } => format!("history {table}"),
            Self::Future { role, schema, plural } => {
                let place = if schema.is_some() { "" } else { " in every schema" };
                format!("future {} of {role}{place}", plural.to_lowercase())
            }
        }
    }
}

impl Action for Grant {
    fn kind(&self) -> Kind {
        match &self.on {
            Granted::Schema(_) => Kind::GrantSchema,
            Granted::History { .. } => Kind::GrantHistory,
            Granted::Future { .. } => Kind::DefaultPrivileges,
        }
    }

    fn what(&self) -> String {
        self.on.in_words()
    }

    fn before(&self) -> Option<String> {
        let before = self.difference.before();
        Some(match &self.on {
            Granted::History { column: Some(column), .. } => format!("{before} on column {column}"),
            _ => before,
        })
    }

    fn after(&self) -> Option<String> {
        Some(self.difference.after(self.keep))
    }

    fn sql(&self) -> Vec<Sql> {
        let Self { on, difference, keep } = self;
        statements(match on {
            Granted::Schema(schema) => difference.sql(&format!("SCHEMA {}", ident(schema)), *keep),
            Granted::History { schema, table, column } => {
                let table = format!("TABLE {}", qualified(schema, table));
                match column {
                    Some(column) => column_sql(&table, column, difference),
                    None => difference.sql(&table, *keep),
                }
            }
            Granted::Future { role, schema, plural } => {
                let clause = for_role(role, schema.as_deref());
                difference.sql(plural, *keep).iter().map(|sql| format!("{clause} {sql}")).collect()
            }
        })
    }
}

/// They belong to the role that creates objects: always FOR ROLE.
fn for_role(role: &str, schema: Option<&str>) -> String {
    let place = schema.map(|schema| format!(" IN SCHEMA {}", ident(schema))).unwrap_or_default();
    format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}{place}", ident(role))
}

/// Of a role that is not the tenant's owner: what it makes in the tenant's schema gives this to nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeDefaults {
    pub role: String,
    pub schema: String,
    /// As ALTER DEFAULT PRIVILEGES spells it.
    pub plural: &'static str,
    pub grantee: Grantee,
    /// Letters.
    pub held: String,
}

impl RevokeDefaults {
    pub(in crate::core::plan) fn statement(&self) -> String {
        let clause = for_role(&self.role, Some(&self.schema));
        format!("{clause} REVOKE ALL ON {} FROM {} CASCADE", self.plural, quoted(&self.grantee))
    }
}

impl Action for RevokeDefaults {
    fn kind(&self) -> Kind {
        Kind::DefaultPrivileges
    }

    fn what(&self) -> String {
        format!("future {} of {}", self.plural.to_lowercase(), self.role)
    }

    fn before(&self) -> Option<String> {
        Some(format!("{}: {}", self.grantee, in_words(&self.held)))
    }

    fn after(&self) -> Option<String> {
        Some(format!("{}: none", self.grantee))
    }

    fn sql(&self) -> Vec<Sql> {
        statements([self.statement()])
    }
}
