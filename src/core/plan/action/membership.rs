//! Who is a member of what.

use super::view::{Action, Kind};
use crate::core::model::{Membership, ident};
use crate::core::plan::statement::{Sql, statements};

/// A role becomes a member of a group role of tenantry's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    pub role: String,
    pub group: String,
    /// It is one already, WITH INHERIT FALSE (16 and later), and cannot use what the group was granted.
    pub lacks_inherit: bool,
}

impl Action for Join {
    fn kind(&self) -> Kind {
        Kind::GrantMembership
    }

    fn what(&self) -> String {
        format!("role {}", self.role)
    }

    fn before(&self) -> Option<String> {
        self.lacks_inherit.then(|| format!("member of {} without INHERIT", self.group))
    }

    fn after(&self) -> Option<String> {
        Some(format!("member of {}", self.group))
    }

    fn sql(&self) -> Vec<Sql> {
        let with = if self.lacks_inherit { " WITH INHERIT TRUE" } else { "" };
        statements([format!("GRANT {} TO {}{with}", ident(&self.group), ident(&self.role))])
    }
}

/// A membership that is not declared, or its ADMIN OPTION alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    pub member: String,
    pub group: String,
    /// As it is found.
    pub membership: Membership,
    pub admin_option_only: bool,
}

impl Action for Leave {
    fn kind(&self) -> Kind {
        Kind::RevokeMembership
    }

    fn what(&self) -> String {
        format!("role {}", self.member)
    }

    fn before(&self) -> Option<String> {
        Some(in_words(&self.membership, &self.group))
    }

    fn after(&self) -> Option<String> {
        self.admin_option_only.then(|| format!("member of {}", self.group))
    }

    fn sql(&self) -> Vec<Sql> {
        let option = if self.admin_option_only { "ADMIN OPTION FOR " } else { "" };
        statements([revocation(&self.membership, &self.group, &self.member, option)])
    }
}

/// The membership in this role, seen from the member.
#[must_use]
pub fn in_words(membership: &Membership, role: &str) -> String {
    let admin = if membership.admin { " WITH ADMIN OPTION" } else { "" };
    let inherit = if membership.inherit { "" } else { ", without INHERIT" };
    let by = membership.grantor.as_ref().map(|grantor| format!(", granted by {grantor}")).unwrap_or_default();
    format!("member of {role}{admin}{inherit}{by}")
}

/// CASCADE takes along what the member passed on with ADMIN OPTION; without it 16 and later fail with 2BP01.
pub(in crate::core::plan) fn revocation(membership: &Membership, role: &str, member: &str, option: &str) -> String {
    let by = membership.grantor.as_ref().map(|grantor| format!(" GRANTED BY {}", ident(grantor))).unwrap_or_default();
    format!("REVOKE {option}{} FROM {}{by} CASCADE", ident(role), ident(member))
}
