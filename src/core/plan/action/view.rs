//! What a person reads of an action, and what it sends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::plan::statement::Sql;

/// What a person reads of an action, and what it sends.
pub trait Action {
    fn kind(&self) -> Kind;

    /// The thing changed, such as "role acme_user".
    fn what(&self) -> String;

    fn before(&self) -> Option<String> {
        None
    }

    fn after(&self) -> Option<String> {
        None
    }

    /// What it takes in a transaction; nothing for what is done otherwise.
    fn sql(&self) -> Vec<Sql> {
        Vec::new()
    }
}

/// The kinds of action. A declared tenant's are carried out in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    ParkNames,
    EndSessions,
    Archive,
    Adopt,
    RenameRole,
    RenameOwner,
    CreateOwner,
    AlterOwner,
    CreateRole,
    AlterRole,
    SetPassword,
    BorrowRights,
    DropDeputy,
    RenameSchema,
    RenameHistory,
    GrantMembership,
    RevokeMembership,
    CreateSchema,
    SetOwner,
    GrantSchema,
    DefaultPrivileges,
    GrantObjects,
    GrantHistory,
    RevokeOutside,
    SetSettings,
    DropLargeObjects,
    DropSchema,
    DropRole,
    DropOwner,
    Baseline,
    Migrate,
    CopyRows,
    ReturnRights,
    SetPolicy,
    WriteSecret,
    SetVaultPolicy,
    SetVaultRole,
    DeleteVaultRole,
    DeleteVaultPolicy,
    DeleteSecret,
}
