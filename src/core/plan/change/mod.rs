//! One file per kind of change: how it is seen, and its hazards. What it does and says is an action.

pub(super) mod adopted_password;
pub(super) mod adoption;
pub(super) mod baseline;
pub(super) mod defaults;
pub(super) mod deputy;
pub(super) mod grants;
pub(super) mod history;
pub(super) mod login;
pub(super) mod membership;
pub(super) mod migrations;
mod object_grants;
pub(super) mod objects;
pub(super) mod outside;
mod password;
pub(super) mod policy;
pub(super) mod rename;
pub(super) mod rights;
pub(super) mod role;
pub(super) mod schema;
pub(super) mod secret;
pub(super) mod settings;
pub(super) mod suspended;
pub(super) mod tablespace;
pub(super) mod template;
pub(super) mod vault_access;
