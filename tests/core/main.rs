//! The pure core: plans without a database, a secret store or the command.
#![allow(clippy::unwrap_used)]

#[path = "../support/compatibility_table.rs"]
mod compatibility_table;
#[path = "../support/as_applied.rs"]
mod support_as_applied;
#[path = "../support/folded/mod.rs"]
mod support_folded;

mod compatibility;
mod facade;
mod faults;
mod includes;
mod layout;
mod pages;
mod plan_cases;
mod situations;
mod two_store_model;
