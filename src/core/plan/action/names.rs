//! Names that change in place.

use std::collections::BTreeMap;

use super::rights::Rights;
use super::role::Whose;
use super::view::{Action, Kind};
use crate::core::model::{TenantKey, ident, qualified};
use crate::core::plan::bookkeeping::{forget_owner, rename_row};
use crate::core::plan::statement::{Sql, statements};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameRole {
    pub whose: Whose,
    pub from: String,
    pub to: String,
    /// The registry remembers it as one that several tenants shared.
    pub is_remembered: bool,
}

impl Action for RenameRole {
    fn kind(&self) -> Kind {
        match self.whose {
            Whose::Username | Whose::Login => Kind::RenameRole,
            Whose::Owner => Kind::RenameOwner,
        }
    }

    fn what(&self) -> String {
        format!("role {}", self.from)
    }

    fn before(&self) -> Option<String> {
        Some(self.from.clone())
    }

    fn after(&self) -> Option<String> {
        Some(self.to.clone())
    }

    fn sql(&self) -> Vec<Sql> {
        let forget = self.is_remembered.then(|| forget_owner(&self.from));
        statements([rename_role(&self.from, &self.to)].into_iter().chain(forget))
    }
}

fn rename_role(from: &str, to: &str) -> String {
    format!("ALTER ROLE {} RENAME TO {}", ident(from), ident(to))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameSchema {
    pub from: String,
    pub to: String,
}

impl Action for RenameSchema {
    fn kind(&self) -> Kind {
        Kind::RenameSchema
    }

    fn what(&self) -> String {
        format!("schema {}", self.from)
    }

    fn before(&self) -> Option<String> {
        Some(self.from.clone())
    }

    fn after(&self) -> Option<String> {
        Some(self.to.clone())
    }

    fn sql(&self) -> Vec<Sql> {
        statements([rename_schema(&self.from, &self.to)])
    }
}

fn rename_schema(from: &str, to: &str) -> String {
    format!("ALTER SCHEMA {} RENAME TO {}", ident(from), ident(to))
}

/// refinery's table gets another name, or the registry notes that somebody gave it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameHistory {
    pub schema: String,
    pub from: String,
    pub to: String,
    pub was_renamed_by_hand: bool,
}

impl Action for RenameHistory {
    fn kind(&self) -> Kind {
        Kind::RenameHistory
    }

    fn what(&self) -> String {
        format!("history {}", self.from)
    }

    fn before(&self) -> Option<String> {
        Some(self.from.clone())
    }

    fn after(&self) -> Option<String> {
        Some(self.to.clone())
    }

    fn sql(&self) -> Vec<Sql> {
        let rename = (!self.was_renamed_by_hand)
            .then(|| format!("ALTER TABLE {} RENAME TO {}", qualified(&self.schema, &self.from), ident(&self.to)));
        statements(rename)
    }
}

/// The names that a tenant gives up to another of the same cycle, under names that nobody wants; its row in the registry too,
/// whose names are unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkNames {
    pub tenant: TenantKey,
    /// From, to.
    pub schema: Option<(String, String)>,
    /// Of the schema's owner, for its renaming.
    pub rights: Option<Rights>,
    /// From, to.
    pub roles: BTreeMap<String, String>,
    /// The schema, username and owner of the row while they are parked.
    pub row: [String; 3],
}

impl Action for ParkNames {
    fn kind(&self) -> Kind {
        Kind::ParkNames
    }

    fn what(&self) -> String {
        let schema = self.schema.iter().map(|(from, _)| format!("schema {from}"));
        schema.chain(self.roles.keys().map(|role| format!("role {role}"))).collect::<Vec<_>>().join(", ")
    }

    fn before(&self) -> Option<String> {
        Some("changes hands".into())
    }

    fn sql(&self) -> Vec<Sql> {
        let mut sql = Vec::new();
        if let Some((from, to)) = &self.schema {
            sql.extend(self.rights.iter().flat_map(Rights::take));
            sql.push(rename_schema(from, to));
            sql.extend(self.rights.iter().flat_map(|rights| rights.give(&[])));
        }
        sql.extend(self.roles.iter().map(|(from, to)| rename_role(from, to)));
        let [schema, username, owner] = &self.row;
        sql.push(rename_row(&self.tenant, schema, username, owner));
        statements(sql)
    }
}
