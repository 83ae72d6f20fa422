//! What a tenant is that says nothing of itself.

use std::collections::BTreeMap;

use super::Access;

/// `[defaults]`, filled in. In names `{tenant}` stands for the tenant's key.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub access: Access,
    pub connection_limit: i64,
    /// By lower-case parameter name.
    pub settings: BTreeMap<String, String>,
}
