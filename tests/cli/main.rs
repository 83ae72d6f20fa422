//! What a person at the command line meets: words, exit codes, faults of input, the examples and the documents.
#![allow(clippy::unwrap_used)]

#[path = "../support/fleet.rs"]
mod fleet;
#[path = "../support/postgres.rs"]
mod postgres_server;
#[path = "../support/schema.rs"]
mod schema;
#[path = "../support/snapshot.rs"]
mod snapshot;

mod examples;
mod exit_codes;
mod help;
mod input;
mod readme;
mod reference;
