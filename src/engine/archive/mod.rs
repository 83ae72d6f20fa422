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
mod stream;
mod toc;

pub(crate) use deputy::{Deputy, Errand, dismiss};
pub(crate) use draft::{supersede, sweep};
pub use dump::Archive;
pub(crate) use dump::dump;
pub(crate) use files::check_dir;
pub use files::{Opened, free_space, open};
pub(crate) use locks::{Locked, lock};
pub use manifest::{Manifest, Proved};
pub use programs::{Programs, Variables};
pub(crate) use programs::{Session, is_for_a_lock};
pub use restore::refuse_other_names;
pub(crate) use restore::{fill, fill_large_objects, refuse_large_objects};
pub(crate) use source::Source;
pub(crate) use stream::{Part, Stream};
