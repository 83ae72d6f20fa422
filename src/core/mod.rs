//! The pure core: what is wanted, what there is, the plan between them, and the words for it. No driver, no network, no clock,
//! no environment; nothing here imports from outside of it (tests/core/layout.rs).

pub mod config;
pub(crate) mod digest;
pub mod migrations;
pub mod model;
pub mod plan;
pub mod render;
pub mod report;
pub mod rows;
pub mod shape;
pub mod verdict;
pub mod words;
