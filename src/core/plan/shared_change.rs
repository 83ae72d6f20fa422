//! Changes to what tenants share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::statement::{Sql, statements};
use crate::core::model::{Foreign, TenantKey};

/// A change to what tenants share. Run serially: concurrent GRANTs on one object fail with XX000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseChange {
    pub action: DatabaseAction,
    pub detail: String,
    pub sql: Vec<Sql>,
    #[serde(skip)]
    pub stage: Stage,
    /// What it is about, beyond its SQL.
    #[serde(skip)]
    pub about: About,
}

/// What a change is about, where something goes by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum About {
    #[default]
    ItsSql,
    /// The role that is dropped, for the registry to remember until it is.
    Dropped(String),
    /// The secrets that are marked.
    Claims(Vec<Claim>),
    /// The extension that is created, and where.
    Extension { name: String, schema: String },
    /// What is removed from schema tenantry, or made there as tenantry made it.
    Foreign(Foreign),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseAction {
    CreateRegistry,
    UpgradeRegistry,
    CloseRegistry,
    CreateGroup,
    AlterGroup,
    RevokeMembership,
    RevokeFromGroup,
    GrantConnect,
    GrantTemp,
    CreateSharedSchema,
    GrantSharedSchema,
    CloseSharedSchema,
    CreateExtension,
    ClosePublicSchema,
    RevokeTemp,
    CreateSharedOwner,
    DropSharedOwner,
    /// Secrets that carry no mark yet are marked as this database's.
    ClaimSecrets,
    /// The database has moved: it gets another identity, and its secrets are marked with that.
    MoveHere,
}

impl DatabaseAction {
    /// Makes or grants what tenants need; the others take away what somebody may miss.
    #[must_use]
    pub fn makes(self) -> bool {
        match self {
            Self::CreateRegistry
            | Self::UpgradeRegistry
            | Self::CreateGroup
            | Self::GrantConnect
            | Self::GrantTemp
            | Self::CreateSharedSchema
            | Self::GrantSharedSchema
            | Self::CreateExtension
            | Self::CreateSharedOwner => true,
            Self::CloseRegistry
            | Self::AlterGroup
            | Self::RevokeMembership
            | Self::RevokeFromGroup
            | Self::ClosePublicSchema
            | Self::CloseSharedSchema
            | Self::RevokeTemp
            | Self::DropSharedOwner
            | Self::ClaimSecrets
            | Self::MoveHere => false,
        }
    }

    /// Takes from PUBLIC what tenants are not to have either.
    #[must_use]
    pub fn closes_public(self) -> bool {
        matches!(self, Self::ClosePublicSchema | Self::RevokeTemp)
    }
}

/// Before the tenants, or after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Before,
    /// In the secret store, once it is known whose registry this is.
    Secrets,
    After,
}

impl DatabaseChange {
    /// One that is made before the tenants.
    pub(super) fn new(action: DatabaseAction, detail: impl Into<String>, sql: Vec<String>) -> Self {
        let stage = Stage::Before;
        Self { action, detail: detail.into(), sql: statements(sql), stage, about: About::ItsSql }
    }

    /// The secrets that it marks.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        if let About::Claims(claims) = &self.about { claims } else { &[] }
    }
}

/// A secret that is only to be marked as this database's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub tenant: TenantKey,
    pub path: String,
    pub version: String,
}
