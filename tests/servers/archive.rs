//! Tenants that are archived: when they are removed, and while they live.

mod blocked;
mod elsewhere;
mod encodings;
mod failures;
mod pieces;
mod project;
mod proof;
mod refusals;
mod removal;
mod restore;
mod surroundings;
mod tls;
mod unqualified;
