//! A tenant in two files: a dump of its schema in pg_dump's custom format, and a manifest that says what is in it.
//!
//! pg_dump and pg_restore log in as a [`Deputy`]: a role that may do what the tenant may and no more, made for as long as
//! they take. docs/adr/0003-archives.md says why.

mod contents;
mod deputy;
mod draft;
mod dump;
mod files;
mod inserts;
mod large_objects;
mod live;
mod locks;
mod manifest;
mod names;
mod programs;
mod proof;
pub(crate) mod relations;
mod restore;
mod rows;
mod script;
mod source;

pub(crate) use deputy::{Deputy, Errand, dismiss};
pub(crate) use draft::{supersede, sweep};
pub use dump::Archive;
pub(crate) use dump::dump;
pub(crate) use files::check_dir;
pub use files::{Opened, free_space, open};
pub use live::Live;
pub(crate) use locks::{Locked, lock};
pub use manifest::{Manifest, Proved};
pub(crate) use programs::Session;
pub use programs::{Programs, Variables};
pub use restore::refuse_other_names;
pub(crate) use restore::{fill, fill_large_objects, refuse_taken_oids};
pub(crate) use source::Source;
