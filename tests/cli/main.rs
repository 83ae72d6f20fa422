//! What a person at the command line meets: words, exit codes, faults of input, the examples and the documents.
#![allow(clippy::unwrap_used)]

/// What can be typed, as the command itself has it.
#[allow(dead_code)]
#[path = "../../src/cli/args.rs"]
mod args;
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
