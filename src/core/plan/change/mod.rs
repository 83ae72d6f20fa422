//! One file per kind of change: how it is seen, its SQL, its hazards, its words.

pub(crate) mod acl;
pub(super) mod defaults;
pub(super) mod deputy;
pub(crate) mod grants;
pub(super) mod history;
pub(crate) mod membership;
pub(crate) mod migrations;
pub(super) mod object_grants;
pub(super) mod objects;
pub(super) mod outside;
pub(super) mod policy;
pub(super) mod rename;
pub(crate) mod rights;
pub(super) mod role;
pub(super) mod schema;
pub(super) mod secret;
pub(crate) mod settings;
pub(super) mod tablespace;
