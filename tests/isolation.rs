//! Isolation: what a tenant of each access may do with its own, with another tenant's, and with the server, by two tables that
//! people can read; and what docs/isolation.md says is open to everybody, shown to be so.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/postgres.rs"]
mod postgres_server;

#[path = "isolation/cluster.rs"]
mod cluster;
#[path = "isolation/false_alarms.rs"]
mod false_alarms;
#[path = "isolation/matrix.rs"]
mod matrix;
#[path = "isolation/open.rs"]
mod open;
#[path = "isolation/verify.rs"]
mod verify;
