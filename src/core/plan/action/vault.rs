//! Who may read the secret: what happens to a tenant's policy and role in Vault, after COMMIT.

use super::view::{Action, Kind};
use crate::core::model::{VaultContents, VaultObject};

/// Makes a policy or a role, or makes it again as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVault {
    pub object: VaultObject,
    /// `None`: there is none.
    pub before: Option<VaultContents>,
    pub after: VaultContents,
}

impl Action for SetVault {
    fn kind(&self) -> Kind {
        if self.object.is_policy() { Kind::SetVaultPolicy } else { Kind::SetVaultRole }
    }

    fn what(&self) -> String {
        self.object.to_string()
    }

    fn before(&self) -> Option<String> {
        let same = self.before.as_ref() == Some(&self.after);
        let registered = if same { ", not registered" } else { "" };
        self.before.as_ref().map(|before| format!("{before}{registered}"))
    }

    fn after(&self) -> Option<String> {
        Some(self.after.to_string())
    }
}

/// Deletes a policy or a role that tenantry made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteVault {
    pub object: VaultObject,
    /// `None`: it is gone already, or somebody else's by now, and only the registry still names it.
    pub before: Option<VaultContents>,
}

impl Action for DeleteVault {
    fn kind(&self) -> Kind {
        if self.object.is_policy() { Kind::DeleteVaultPolicy } else { Kind::DeleteVaultRole }
    }

    fn what(&self) -> String {
        self.object.to_string()
    }

    fn before(&self) -> Option<String> {
        Some(
            self.before.as_ref().map_or_else(
                || "gone, or somebody else's by now; the registry forgets it".to_owned(),
                ToString::to_string,
            ),
        )
    }
}
