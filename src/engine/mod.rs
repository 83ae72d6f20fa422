//! What looks at PostgreSQL and the secret store, and what changes them.

// First: a macro is known to what follows it.
#[macro_use]
pub mod failpoint;

pub mod apply;
pub mod archive;
pub(crate) mod copy_text;
pub mod database;
pub mod deep;
pub mod error;
pub mod exec;
pub mod inspect;
pub(crate) mod installed;
pub mod login;
pub(crate) mod password;
pub(crate) mod private;
pub mod project;
pub mod query;
pub mod registry;
pub(crate) mod retry;
pub mod sandbox;
pub mod secrets;
pub mod verify;
pub(crate) mod workers;
