//! A declarative reconciler for schema-per-tenant PostgreSQL.
//!
//! ```text
//! tenants.toml + migrations/ ─────────────► desired ┐
//!                                                   ├─ diff ─► plan ─► show, save, or apply ─► report
//! PostgreSQL's catalogs, registry, secrets ► observed ┘        (pure)       (one transaction a tenant)
//! ```
//!
//! `Tenantry` is the door: it opens a tenants.toml, looks, plans under a lock, asks every guard, and applies. `admin::DatabaseAdmin`
//! creates and removes tenants one by one, for a program that keeps no file. What stands behind both is in two layers, each of which knows only those before it: the core is pure (`tenants.toml` → desired; desired and
//! observed → plan → words); the engine is what looks and acts (PostgreSQL, the secret store, archives).
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `cli` (default) | the command `tenantry`, and what it needs: clap, miette and the like. It includes `engine` |
//! | `engine` | the door, `admin`, `secrets`, `archive`, `sandbox`: what talks to PostgreSQL and the secret store. A program that uses the library takes this one: `default-features = false, features = ["engine"]` |
//! | none | the pure core: `config`, `migrations`, `model`, `plan`, `render`; no driver, no network, no clock, no environment |
//! | `failpoints` | for tenantry's own tests |
//!
//! The minimum supported Rust version is 1.94. PostgreSQL 14 to 18.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

mod core;
// Before what follows it: its fail points are known there.
#[cfg(feature = "engine")]
#[macro_use]
mod engine;
#[cfg(feature = "engine")]
mod tenantry;

#[cfg(feature = "engine")]
pub mod admin;

/// A tenant in files.
#[cfg(feature = "engine")]
pub mod archive {
    pub use crate::engine::archive::{Archive, Manifest, Opened, Proved, open};
}

/// Tenants' secrets, to be read.
#[cfg(feature = "engine")]
pub mod secrets {
    pub use crate::engine::secrets::{
        AccessStore, FileStore, Found, SecretError, SecretStore, VaultStore, Wrapped, open_file, open_vault,
    };
}

/// For the tests of the stores themselves. Nothing here asks a guard: a program changes secrets by [`Approved::apply`].
#[cfg(feature = "engine")]
#[doc(hidden)]
pub mod unguarded {
    pub use crate::engine::secrets::WritableStore;
}

/// What became of programs that ran as tenants.
#[cfg(feature = "engine")]
pub mod programs {
    pub use crate::engine::exec::{Ended, Lines, Ran};
}

/// Files that others read while they are written.
#[cfg(feature = "engine")]
pub mod files {
    pub use crate::engine::private::publish;
}

pub use crate::core::{config, migrations, model, plan, render, report, rows, shape, undeclared, verdict, words};
#[cfg(feature = "failpoints")]
pub use engine::failpoint;
#[cfg(feature = "engine")]
pub use engine::{database, error::Error as RunError, query::Question, registry::Recovery, sandbox};
#[cfg(feature = "engine")]
pub use tenantry::{
    Adopting, Approved, Archived, Asked, Clash, Consent, Copying, Drift, Edit, Environment, Error, Events, Guard,
    Intent, Interrupt, Limits, Locked, Looked, MAX_FAILURES, Need, NeedsConsent, Options, Planned, Programs, Refusal,
    Tenantry, Trail, Which, read_plan,
};

/// The page about the library, whose example is compiled.
#[cfg(all(doctest, feature = "engine"))]
#[doc = include_str!("../docs/library.md")]
struct Page;
