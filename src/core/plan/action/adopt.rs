//! Taking over what is there.

use super::migrate::{HistoryReaders, Migrate};
use super::view::{Action, Kind};
use crate::core::migrations::{Format, Version, history_of};
use crate::core::plan::statement::{Sql, statements};

/// A schema, or roles, that the registry knows from now on. Nothing is done to them by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopt {
    /// Those of them that are there.
    pub schema: Option<String>,
    pub roles: Vec<String>,
    /// The password stays the tenant's own, without a secret.
    pub keeps_password: bool,
}

impl Action for Adopt {
    fn kind(&self) -> Kind {
        Kind::Adopt
    }

    fn what(&self) -> String {
        let schema = self.schema.iter().map(|schema| format!("schema {schema}"));
        let roles = self.roles.iter().map(|role| format!("role {role}"));
        schema.chain(roles).collect::<Vec<_>>().join(", ")
    }

    fn before(&self) -> Option<String> {
        Some("not managed by tenantry".into())
    }

    fn after(&self) -> Option<String> {
        let password = if self.keeps_password { ", its password kept and in no secret" } else { "" };
        Some(format!("in the registry{password}"))
    }
}

/// A history that is made for a schema that has none: these files are recorded as applied, and not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    pub schema: String,
    pub owner: String,
    /// How their versions are written.
    pub format: Format,
    /// In their order.
    pub versions: Vec<Version>,
    pub files: Vec<String>,
    /// By what the tool whose files they are recorded; otherwise by what a person said.
    pub by_tool: bool,
    pub readers: HistoryReaders,
}

impl Baseline {
    /// What runs right after the history is made.
    #[must_use]
    pub fn history_sql(&self) -> Vec<String> {
        let migrate = Migrate {
            schema: self.schema.clone(),
            owner: self.owner.clone(),
            files: Vec::new(),
            last: None,
            format: self.format,
            transactions: Vec::new(),
            at_once: false,
            new_history: Some(self.readers.clone()),
        };
        migrate.history_sql()
    }
}

impl Action for Baseline {
    fn kind(&self) -> Kind {
        Kind::Baseline
    }

    fn what(&self) -> String {
        format!("history {}", self.readers.table)
    }

    fn before(&self) -> Option<String> {
        Some("none".into())
    }

    fn after(&self) -> Option<String> {
        let last = self.versions.last().copied().unwrap_or_default();
        let by = match history_of(self.format).filter(|_| self.by_tool) {
            Some(its) => format!(", as {} says", its.table),
            None => String::new(),
        };
        Some(format!("{}, recorded as applied and not run{by}", self.format.label(last)))
    }

    /// The files, as comments.
    fn sql(&self) -> Vec<Sql> {
        let mut lines = vec!["-- recorded as applied, not run:".to_owned()];
        lines.extend(self.files.iter().map(|file| format!("-- {file}")));
        lines.extend(self.history_sql());
        statements(lines)
    }
}
