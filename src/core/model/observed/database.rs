//! What tenants share.

use std::collections::BTreeMap;

use crate::core::model::acl::Acl;
use crate::core::model::role::Role;

#[derive(Clone, Debug, Default)]
pub struct Database {
    pub name: String,
    pub public_has_temp: bool,
    pub public_has_connect: bool,
    /// The schema public: `None` when it was dropped.
    pub public_schema: Option<PublicState>,
    /// The extensions there are, by name.
    pub extensions: BTreeMap<String, Extension>,
    pub tablespaces: BTreeMap<String, Tablespace>,
    /// Those of the shared schemas that exist.
    pub shared_schemas: BTreeMap<String, SharedSchema>,
    /// The group role, when it exists.
    pub group: Option<Group>,
    /// The owners' group role, when it exists.
    pub owners_group: Option<Group>,
}

#[derive(Clone, Debug, Default)]
pub struct Extension {
    pub schema: String,
    pub owner: String,
    /// ALTER EXTENSION … SET SCHEMA works.
    pub relocatable: bool,
    /// PUBLIC has USAGE on the schema.
    pub open: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Tablespace {
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    /// The database's: everybody may create tables there.
    pub is_own: bool,
    /// `ALTER DATABASE … SET default_tablespace` names it.
    pub is_default: bool,
}

#[derive(Clone, Debug, Default)]
pub struct PublicState {
    /// Letters of U and C that PUBLIC holds.
    pub public_privileges: String,
    /// Objects that belong to no extension, counted.
    pub objects: i64,
    /// The first few of them, for the hazard's words.
    pub examples: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct SharedSchema {
    pub owner: String,
    /// The group role, or PUBLIC, has USAGE already.
    pub group_has_usage: bool,
    /// We may pass USAGE on.
    pub may_grant: bool,
    pub may_create: bool,
    pub acl: Acl,
    /// We have the rights of its owner.
    pub ours: bool,
}

/// The NOLOGIN role that every tenant joins.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub role: Role,
    /// Privileges on the database by a grant of its own.
    pub has_connect: bool,
    pub has_temp: bool,
    /// Objects in this database that it owns: none of tenantry's making.
    pub owns: i64,
}
