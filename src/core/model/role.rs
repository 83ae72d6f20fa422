//! A role as it is observed, with all that hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Acl, Hold};

/// A row of `pg_roles` with what hangs on it.
#[derive(Clone, Debug, Default)]
pub struct Role {
    pub can_login: bool,
    pub inherit: bool,
    /// Those of SUPERUSER, CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS the role has.
    pub powers: BTreeSet<&'static str>,
    pub connection_limit: i32,
    /// It has none, so that nobody logs in with one. Known only to an admin who may read `pg_authid`: a superuser.
    pub lacks_password: bool,
    /// As PostgreSQL prints it.
    pub valid_until: Option<String>,
    /// `ALTER ROLE … SET`, by lower-case parameter name.
    pub settings: BTreeMap<String, String>,
    /// `ALTER ROLE … IN DATABASE … SET`, for this database.
    pub database_settings: BTreeMap<String, String>,
    /// The roles this one is a member of.
    pub member_of: BTreeSet<Membership>,
    /// The roles with a power over others' things that this one is a member of, through however many others, and those powers.
    pub powerful: BTreeMap<String, Vec<String>>,
    /// The members of this role; the admin's automatic membership left out.
    pub members: BTreeSet<Membership>,
    /// We hold it with ADMIN OPTION, which from PostgreSQL 16 on is what CREATEROLE needs to act on it.
    pub administered: bool,
    /// We may use this role's rights already: no need to borrow them.
    pub admin_is_member: bool,
    /// `ALTER DEFAULT PRIVILEGES FOR ROLE` without IN SCHEMA.
    pub default_acls: Vec<GlobalDefaultAcl>,
    /// What it was granted, and owns, outside of the tenants' schemas.
    pub outside: Vec<Outside>,
    /// What keeps PostgreSQL from dropping it; looked for only where that is planned.
    pub holds: Vec<Hold>,
    /// The large objects it owns in this database; counted only where a removal is planned.
    pub large_objects: i64,
    /// What these take, estimated: large objects of a usual size.
    pub large_object_bytes: i64,
}

impl Role {
    /// A member of that role, by whomever's grant and with whatever options.
    #[must_use]
    pub fn is_member_of(&self, role: &str) -> bool {
        self.member_of.iter().any(|membership| membership.role == role)
    }
}

/// A row of `pg_auth_members`, seen from one of its ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Membership {
    /// The role at the other end.
    pub role: String,
    /// May pass the membership on.
    pub admin: bool,
    /// The member has the role's privileges without SET ROLE. Up to PostgreSQL 15 the member's own INHERIT decides.
    pub inherit: bool,
    /// From PostgreSQL 16 on: the grantor, when a plain REVOKE of ours would not reach it.
    pub grantor: Option<String>,
}

impl Membership {
    /// As a plain `GRANT` of ours makes it.
    #[must_use]
    pub fn plain(role: impl Into<String>) -> Self {
        Self { role: role.into(), admin: false, inherit: true, grantor: None }
    }
}

/// Default privileges of a role in every schema. Such an entry stands instead of the built-in default, where one of a
/// schema's is added to it (manual, "ALTER DEFAULT PRIVILEGES").
#[derive(Clone, Debug)]
pub struct GlobalDefaultAcl {
    /// As the statement spells it: TABLES, SCHEMAS.
    pub plural: &'static str,
    pub acl: Acl,
    /// What it would be without the entry.
    pub builtin: Acl,
}

/// Something outside of the tenants' schemas that a role owns or was granted (`pg_shdepend`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// As `pg_identify_object` says it: "table", "foreign-data wrapper".
    pub kind: String,
    /// Qualified, and quoted where it must be.
    pub identity: String,
    /// The schema it lies in.
    pub schema: Option<String>,
    pub held: Holding,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    Owned,
    /// Privileges in words, on the whole of it or on a column.
    Granted {
        column: Option<String>,
        privileges: String,
        /// `None`: the object's owner.
        grantor: Option<String>,
        owner: String,
        /// A REVOKE of ours counts: we have the rights of whoever granted.
        ours: bool,
    },
    /// Privileges on what a role will make; `plural` as ALTER DEFAULT PRIVILEGES spells it.
    Future {
        of: String,
        plural: String,
        privileges: String,
        ours: bool,
    },
}
