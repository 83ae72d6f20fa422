//! The actions of a tenant's transaction.

use super::adopt::{Adopt, Baseline};
use super::copy_rows::CopyRows;
use super::membership::{Join, Leave};
use super::migrate::Migrate;
use super::names::{RenameHistory, RenameRole, RenameSchema};
use super::objects::GrantObjects;
use super::outside::{RevokeGifts, RevokeOutside};
use super::ownership::SetOwner;
use super::policy::SetPolicy;
use super::privileges::{Grant, RevokeDefaults};
use super::removal::{DropLargeObjects, DropSchema};
use super::rights::{BorrowRights, ReturnRights};
use super::role::{AlterRole, CreateOwner, CreateRole, DropDeputy, DropRole, SetPassword, Whose};
use super::schema::CreateSchema;
use super::setting::SetSetting;
use super::view::{Action, Kind};

/// One action of a tenant's transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Adopt(Adopt),
    RenameRole(RenameRole),
    CreateOwner(CreateOwner),
    CreateRole(CreateRole),
    AlterRole(AlterRole),
    SetPassword(SetPassword),
    BorrowRights(BorrowRights),
    DropDeputy(DropDeputy),
    RenameSchema(RenameSchema),
    RenameHistory(RenameHistory),
    Join(Join),
    Leave(Leave),
    CreateSchema(CreateSchema),
    SetOwner(SetOwner),
    Grant(Grant),
    RevokeDefaults(RevokeDefaults),
    GrantObjects(GrantObjects),
    RevokeOutside(RevokeOutside),
    RevokeGifts(RevokeGifts),
    SetSetting(SetSetting),
    DropLargeObjects(DropLargeObjects),
    DropSchema(DropSchema),
    DropRole(DropRole),
    Baseline(Baseline),
    Migrate(Migrate),
    CopyRows(CopyRows),
    ReturnRights(ReturnRights),
    SetPolicy(SetPolicy),
}

impl Change {
    /// What it does, to be read or run.
    #[must_use]
    pub fn view(&self) -> &dyn Action {
        match self {
            Self::Adopt(action) => action,
            Self::RenameRole(action) => action,
            Self::CreateOwner(action) => action,
            Self::CreateRole(action) => action,
            Self::AlterRole(action) => action,
            Self::SetPassword(action) => action,
            Self::BorrowRights(action) => action,
            Self::DropDeputy(action) => action,
            Self::RenameSchema(action) => action,
            Self::RenameHistory(action) => action,
            Self::Join(action) => action,
            Self::Leave(action) => action,
            Self::CreateSchema(action) => action,
            Self::SetOwner(action) => action,
            Self::Grant(action) => action,
            Self::RevokeDefaults(action) => action,
            Self::GrantObjects(action) => action,
            Self::RevokeOutside(action) => action,
            Self::RevokeGifts(action) => action,
            Self::SetSetting(action) => action,
            Self::DropLargeObjects(action) => action,
            Self::DropSchema(action) => action,
            Self::DropRole(action) => action,
            Self::Baseline(action) => action,
            Self::Migrate(action) => action,
            Self::CopyRows(action) => action,
            Self::ReturnRights(action) => action,
            Self::SetPolicy(action) => action,
        }
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.view().kind()
    }

    /// Acts on what the owner owns, and so takes its rights.
    #[must_use]
    pub fn needs_the_owner(&self) -> bool {
        match self {
            Self::RenameHistory(rename) => !rename.was_renamed_by_hand,
            Self::DropRole(drop) => drop.whose != Whose::Username,
            Self::RenameSchema(_)
            | Self::CreateSchema(_)
            | Self::SetOwner(_)
            | Self::Grant(_)
            | Self::RevokeDefaults(_)
            | Self::GrantObjects(_)
            | Self::Baseline(_)
            | Self::Migrate(_)
            | Self::CopyRows(_) => true,
            _ => false,
        }
    }
}

/// Every action is a change of the plan's by itself.
macro_rules! changes {
    ($($action:ident),+) => { $(impl From<$action> for Change { fn from(action: $action) -> Self { Self::$action(action) } })+ };
}
changes!(
    Adopt,
    Baseline,
    RenameRole,
    CreateOwner,
    CreateRole,
    AlterRole,
    SetPassword,
    BorrowRights,
    DropDeputy,
    RenameSchema,
    RenameHistory,
    Join,
    Leave,
    CreateSchema,
    SetOwner,
    Grant,
    RevokeDefaults,
    GrantObjects,
    RevokeOutside,
    RevokeGifts,
    SetSetting,
    DropLargeObjects,
    DropSchema,
    DropRole,
    Migrate,
    CopyRows,
    ReturnRights,
    SetPolicy
);
