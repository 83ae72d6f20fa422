//! `[defaults]`, for whoever writes down a tenant that is not declared yet.

use super::raw::RawTenant;
use crate::core::model::Defaults;

/// The templates of names that stand in no file.
pub(super) const SCHEMA: &str = "tenant_{tenant}";
pub(super) const USERNAME: &str = "{tenant}_user";
pub(super) const OWNER: &str = "{tenant}_owner";

pub(super) fn of(raw: &RawTenant) -> Defaults {
    let name = |name: &Option<String>, builtin: &str| name.as_deref().unwrap_or(builtin).to_owned();
    Defaults {
        schema: name(&raw.schema, SCHEMA),
        username: name(&raw.username, USERNAME),
        owner: name(&raw.owner, OWNER),
        access: raw.access.unwrap_or_default(),
        connection_limit: raw.connection_limit.unwrap_or(-1),
        settings: raw.settings.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.text())).collect(),
    }
}
