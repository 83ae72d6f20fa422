//! Rights of a tenant's roles that the admin takes for the length of a transaction, and gives back at its end.
//!
//! Up to PostgreSQL 15 that is membership; from 16 on the creator has ADMIN only and grants itself SET and INHERIT
//! (manual, "CREATE ROLE", notes on CREATEROLE).

use super::view::{Action, Kind};
use crate::core::model::{Observed, Role, ident};
use crate::core::plan::statement::{Sql, statements};

/// Whose rights, and who takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    pub roles: Vec<String>,
    pub admin: String,
    /// From 16 on a membership alone is no right.
    with_options: bool,
}

impl Rights {
    /// Those of these roles that the admin does not have anyway; `None` when it has all.
    #[must_use]
    pub fn lacking(observed: &Observed, roles: &[String]) -> Option<Self> {
        // Nobody can be a member of itself.
        let is_admin = |role: &String| *role == observed.server.admin.name;
        let has = |role: &String| is_admin(role) || observed.roles.get(role).is_some_and(is_had);
        Self::of(observed, roles.iter().filter(|role| !has(role)).cloned().collect())
    }

    /// All of these; `None` for a superuser, who needs none.
    #[must_use]
    pub fn of(observed: &Observed, roles: Vec<String>) -> Option<Self> {
        let admin = &observed.server.admin;
        let with_options = observed.server.major() >= 16;
        (!admin.superuser && !roles.is_empty()).then(|| Self { roles, admin: admin.name.clone(), with_options })
    }

    /// But for those of roles that are gone.
    pub(in crate::core::plan) fn without(self, gone: &[String]) -> Option<Self> {
        let roles: Vec<String> = self.roles.into_iter().filter(|role| !gone.contains(role)).collect();
        (!roles.is_empty()).then_some(Self { roles, ..self })
    }

    /// The same once this role has another name.
    pub(in crate::core::plan) fn renamed(mut self, from: &str, to: &str) -> Self {
        for role in self.roles.iter_mut().filter(|role| *role == from) {
            to.clone_into(role);
        }
        self
    }

    #[must_use]
    pub fn take(&self) -> Vec<String> {
        let with = if self.with_options { " WITH INHERIT TRUE, SET TRUE" } else { "" };
        let admin = ident(&self.admin);
        self.roles.iter().map(|role| format!("GRANT {} TO {admin}{with}", ident(role))).collect()
    }

    /// A role that is dropped takes its memberships with it.
    #[must_use]
    pub fn give(&self, dropped: &[String]) -> Vec<String> {
        let admin = ident(&self.admin);
        let stay = self.roles.iter().filter(|role| !dropped.contains(role));
        stay.map(|role| format!("REVOKE {} FROM {admin}", ident(role))).collect()
    }

    fn what(&self) -> String {
        format!("rights of {} for {}", self.roles.join(", "), self.admin)
    }
}

/// Whether the admin has the role's rights without borrowing them.
#[must_use]
pub(in crate::core::plan) fn is_had(role: &Role) -> bool {
    role.admin_is_member
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BorrowRights(pub Rights);

impl Action for BorrowRights {
    fn kind(&self) -> Kind {
        Kind::BorrowRights
    }

    fn what(&self) -> String {
        self.0.what()
    }

    fn after(&self) -> Option<String> {
        Some("for this transaction".into())
    }

    fn sql(&self) -> Vec<Sql> {
        statements(self.0.take())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnRights {
    pub rights: Rights,
    /// Roles that the transaction drops.
    pub dropped: Vec<String>,
}

impl Action for ReturnRights {
    fn kind(&self) -> Kind {
        Kind::ReturnRights
    }

    fn what(&self) -> String {
        self.rights.what()
    }

    fn before(&self) -> Option<String> {
        Some("for this transaction".into())
    }

    fn sql(&self) -> Vec<Sql> {
        statements(self.rights.give(&self.dropped))
    }
}

/// The statements that take these roles' rights, and those that give them back, but for rights that are there anyway.
#[must_use]
pub fn borrowed(observed: &Observed, roles: &[String]) -> [String; 2] {
    let rights = Rights::lacking(observed, roles);
    let joined = |sql: Option<Vec<String>>| sql.unwrap_or_default().join("; ");
    [joined(rights.as_ref().map(Rights::take)), joined(rights.as_ref().map(|rights| rights.give(&[])))]
}
