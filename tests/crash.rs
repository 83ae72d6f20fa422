//! A run cut off at every step of every kind of change, as a crash cuts it off: one more apply ends in sync.
//!
//! Steps are the fail points of src/; `cargo test --features failpoints`.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/openbao.rs"]
mod openbao;
#[path = "support/postgres.rs"]
mod postgres_server;

#[path = "crash/archives.rs"]
mod archives;
#[path = "crash/changes.rs"]
mod changes;
#[path = "archive/project.rs"]
#[allow(dead_code)] // A part of it is for other tests.
mod project;
#[path = "crash/registry.rs"]
mod registry;
#[path = "crash/rules.rs"]
mod rules;
#[path = "crash/vault.rs"]
mod vault;
