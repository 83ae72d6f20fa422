//! The pure core: plans without a database, a secret store or the command.
#![allow(clippy::unwrap_used)]

#[path = "../support/as_applied.rs"]
mod support_as_applied;

mod facade;
mod layout;
mod plan_cases;
