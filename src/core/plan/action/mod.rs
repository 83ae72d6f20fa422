//! What a plan does to one tenant, as values. Their words and their SQL are views of them, made when somebody reads or runs
//! them; nothing is ever read back from either.

mod adopt;
mod change;
mod copy_rows;
mod membership;
mod migrate;
mod names;
mod objects;
mod outside;
mod ownership;
mod policy;
mod privileges;
mod removal;
mod rights;
mod role;
mod schema;
mod secret;
mod setting;
mod vault;
mod view;

pub use adopt::{Adopt, Baseline};
pub use change::Change;
pub use copy_rows::{ArchivedRows, CopiedTenant, CopyRows, RowsOf};
pub(super) use membership::revocation;
pub use membership::{Join, Leave, in_words as membership_in_words};
pub use migrate::{HistoryReaders, LateMigrations, Migrate, PendingFile};
pub use names::{ParkNames, RenameHistory, RenameRole, RenameSchema};
pub use objects::{FoundOnObjects, GrantObjects};
pub(super) use outside::grant_word;
pub use outside::{RevokeGifts, RevokeOutside};
pub(super) use outside::{gift_in_words, gift_statement};
pub use ownership::{Owned, SetOwner};
pub use policy::SetPolicy;
pub use privileges::{Grant, Granted, RevokeDefaults};
pub use removal::{DropLargeObjects, DropSchema, EndSessions, MakeArchive};
pub(super) use rights::is_had;
pub use rights::{BorrowRights, ReturnRights, Rights, borrowed};
pub use role::{
    AlterRole, Attribute, CreateOwner, CreateRole, DropDeputy, DropRole, HandOver, SetPassword, WhichPassword, Whose,
    drop_role,
};
pub use schema::CreateSchema;
pub use secret::{DeleteSecret, ForgetSecret, SecretBefore, WriteSecret};
pub(super) use setting::items;
pub use setting::{SetSetting, Value};
pub use vault::{DeleteVault, SetVault};
pub use view::{Action, Kind};
