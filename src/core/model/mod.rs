//! The nouns: what a team wants ([`Desired`]), what is there ([`Observed`]), and the small values both are made of.
//!
//! Nothing here does I/O; everything is ordered, so that the same input gives the same bytes.

mod acl;
mod at_most;
mod audit;
mod desired;
mod hold;
mod locks;
mod logins;
mod name;
mod observed;
mod role;
mod rotation;
pub mod secret;
mod sql;
pub(crate) mod sslmode;
pub mod vault;
mod vault_access;

pub use acl::{Acl, AclItem, Entry, Grantee, ParseAclError};
pub use at_most::AtMost;
pub use audit::AuditLine;
pub use desired::*;
pub use hold::{Gift, Given, Hold};
pub use locks::{MANY_LOCKS, ManyLocks};
pub use name::{MAX_NAME_BYTES, NameError, TenantKey, check_role_name, check_schema_name};
pub use observed::*;
pub use role::{GlobalDefaultAcl, Holding, Membership, Outside, Role};
pub use rotation::{LONGEST_USERNAME_OF_TWO, Rotation, login_users};
pub use secret::SecretFields;
pub use sql::{ident, literal, qualified};
pub use sslmode::SslMode;
pub use vault_access::*;
