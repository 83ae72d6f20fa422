//! What a person or a program reads: text, Markdown, JSON. Functions return strings; the command line prints them.
//!
//! Every name that comes from outside passes through [`escape::visible`] on its way to a terminal.

pub mod escape;
pub mod fold;
mod group;
pub mod html;
mod inline;
pub mod json;
pub mod list;
pub mod markdown;
pub mod metrics;
mod page;
pub mod report;
pub mod rows;
pub mod schema;
pub mod shape;
pub mod show;
mod style;
pub mod text;
pub mod verify;

#[cfg(feature = "engine")]
pub(crate) use group::Names;
pub use style::Style;
