//! A run cut off at every step of every kind of change, as a crash cuts it off: one more apply ends in sync.
//!
//! Steps are the fail points of src/; `cargo test --features failpoints`.
#![allow(clippy::unwrap_used)]

#[path = "../support/fleet.rs"]
mod fleet;
#[path = "../support/openbao.rs"]
mod openbao;
#[path = "../support/postgres.rs"]
mod postgres_server;

mod again;
mod archives;
mod changes;
#[path = "../servers/no_plaintext/life.rs"]
#[allow(dead_code)] // A part of it is for other tests.
mod life;
mod panics;
#[path = "../servers/archive/project.rs"]
#[allow(dead_code)] // A part of it is for other tests.
mod project;
mod registry;
mod rules;
mod two_user;
mod vault;
#[path = "../servers/no_plaintext/watch.rs"]
mod watch;
