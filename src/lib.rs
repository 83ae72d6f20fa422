//! A declarative reconciler for schema-per-tenant PostgreSQL.
//!
//! Three layers, each of which knows only those before it:
//! [`core`] is pure: `tenants.toml` → desired, desired and observed → plan → words;
//! [`engine`] is what looks and acts: PostgreSQL, the secret store, archives, apply, verify;
//! [`cli`] is the command line.
//!
//! Without the feature `engine` the library is the pure core: no driver, no network, no clock, no environment.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

// First: its fail points are known to what follows it.
#[cfg(feature = "engine")]
#[macro_use]
pub mod engine;

#[cfg(feature = "cli")]
pub mod cli;
pub mod core;

pub use core::{config, migrations, model, plan, render, shape};
#[cfg(feature = "engine")]
pub use engine::{apply, archive, database, deep, error, inspect, project, registry, sandbox, secrets, verify};
