//! The plan: what turns observed into desired, decided here and nowhere else.
//!
//! [`diff()`] is pure. Each kind of change has a file in `change/` that sees it, from facts to findings; what it does and says is
//! a value of `action/`. A tenant's actions stand in phases (`phases`), which apply carries out from top to bottom.

mod acl;
pub mod action;
mod adoption;
mod batches;
mod bookkeeping;
mod change;
mod database;
mod diff;
mod document;
mod doubt;
mod extensions;
mod facts;
mod fleet;
mod fleet_change;
mod group;
mod groups;
mod hazard;
mod holds;
mod home;
mod identifiers;
mod identity;
mod limits;
mod logins;
mod missing;
mod order;
mod phases;
mod powers;
mod privileges;
mod public_schema;
mod registry;
mod removal;
mod rename_cycle;
mod restoration;
mod rotation;
mod saved;
mod shared_change;
mod statement;
mod tenant;
mod tenant_plan;
mod whole;
mod whole_fleet;

pub(crate) use acl::{Letters, held, is_as_declared};
pub use action::{Action, ArchivedRows, Change, Kind, borrowed, membership_in_words};
pub use adoption::{adoptable, baselined, differently_shaped, note_shapes};
pub use change::migrations::after_restore;
#[cfg(feature = "engine")]
pub(crate) use change::migrations::pending;
pub use change::rename::RECOVER;
pub use change::template::from_archive;
pub use diff::diff;
pub use document::{Document, ShownChange, ShownTenant, Summary};
pub use doubt::{Doubt, Missing};
pub use extensions::unreachable as unreachable_extension;
pub use fleet_change::{FleetChange, FleetKey};
pub use groups::{group_role, owners_role};
pub use hazard::{Hazard, HazardKind};
pub(crate) use identifiers::split_identifiers;
pub use logins::secrets_user;
pub use phases::{AfterCommit, Batch, EndOld, Phases, Switch};
pub(crate) use privileges::in_words;
pub use privileges::{OWNERS_ON_SCHEMA, object_privileges, owners_privileges, public_privileges, schema_privileges};
pub use public_schema::{owners_want_temp, public_schema_policy};
pub use registry::foreign_code;
#[cfg(feature = "engine")]
pub(crate) use removal::disk_short;
pub use restoration::Restoration;
pub use rotation::rotation;
pub use saved::{ReadError, Saved, Stale};
pub use shared_change::{About, Claim, DatabaseAction, DatabaseChange, Stage};
pub use statement::{ELIDED_VERIFIER, Sql};
pub use tenant_plan::{Blocked, EndState, Note, PasswordOrigin, SeenSchema, TenantPlan, Verb};
pub use whole::{DatabaseIdentity, Plan, Targeting};
