//! What Vault has that lets tenants read their secrets.

use std::collections::BTreeMap;

use crate::core::model::vault_access::{VaultContents, VaultObject};

/// Of the policies and roles that are declared or registered.
#[derive(Clone, Debug, Default)]
pub struct VaultSeen {
    /// What the path of a secret begins with in a policy: `secret/data`.
    pub secrets_at: String,
    /// Those that are there.
    pub objects: BTreeMap<VaultObject, VaultContents>,
}
