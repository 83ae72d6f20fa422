//! Tenants that are archived: when they are removed, and while they live.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/postgres.rs"]
mod postgres_server;

#[path = "support/certificates.rs"]
mod certificates;
#[path = "archive/elsewhere.rs"]
mod elsewhere;
#[path = "archive/encodings.rs"]
mod encodings;
#[path = "archive/failures.rs"]
mod failures;
#[path = "archive/pieces.rs"]
mod pieces;
#[path = "archive/project.rs"]
mod project;
#[path = "archive/proof.rs"]
mod proof;
#[path = "archive/refusals.rs"]
mod refusals;
#[path = "archive/removal.rs"]
mod removal;
#[path = "archive/restore.rs"]
mod restore;
#[path = "archive/surroundings.rs"]
mod surroundings;
#[path = "archive/tls.rs"]
mod tls;
#[path = "archive/unqualified.rs"]
mod unqualified;
