//! The registry's own migrations, and the table that remembers them.

refinery::embed_migrations!("src/engine/registry/migrations");

pub(super) const HISTORY: &str = "tenantry.refinery_schema_history";
pub(crate) const HISTORY_TABLE: &str = "refinery_schema_history";
