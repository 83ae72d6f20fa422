//! A declarative reconciler for schema-per-tenant PostgreSQL.
//!
//! The pipeline, and the modules in its order:
//! `tenants.toml` → [`config`] → desired; PostgreSQL and the secret store → `inspect` → observed;
//! [`plan`] = diff(desired, observed), pure; `apply` carries a plan out; [`render`] shows it.
//!
//! Without the feature `engine` the library is the pure core: no driver, no network, no clock, no environment.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

// First: a macro is known to what follows it.
#[cfg(feature = "engine")]
#[macro_use]
mod failpoint;

#[cfg(feature = "engine")]
pub mod apply;
#[cfg(feature = "engine")]
pub mod archive;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
#[cfg(feature = "engine")]
pub mod database;
#[cfg(feature = "engine")]
pub mod deep;
#[cfg(feature = "engine")]
pub mod error;
#[cfg(feature = "engine")]
pub mod inspect;
pub mod migrations;
pub mod model;
pub mod plan;
#[cfg(feature = "engine")]
mod private;
#[cfg(feature = "engine")]
pub mod project;
#[cfg(feature = "engine")]
pub mod registry;
pub mod render;
#[cfg(feature = "engine")]
pub mod sandbox;
#[cfg(feature = "engine")]
pub mod secrets;
pub mod shape;
#[cfg(feature = "engine")]
pub mod verify;
#[cfg(feature = "engine")]
mod workers;
