//! Hostile tenants: each line of the design's section, against real PostgreSQL 15 and 18, through the command as a user has it.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/postgres.rs"]
mod postgres_server;

#[path = "hostile/attack.rs"]
mod attack;
#[path = "hostile/commit.rs"]
mod commit;
#[path = "hostile/history.rs"]
mod history;
#[path = "hostile/locks.rs"]
mod locks;
#[path = "hostile/matrix.rs"]
mod matrix;
#[path = "hostile/migration.rs"]
mod migration;
#[path = "hostile/neighbours.rs"]
mod neighbours;
#[path = "hostile/outside.rs"]
mod outside;
#[path = "hostile/registry.rs"]
mod registry;
#[path = "hostile/session.rs"]
mod session;
#[path = "hostile/shape.rs"]
mod shape;
#[path = "hostile/surroundings.rs"]
mod surroundings;
