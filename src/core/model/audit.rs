//! What the audit log holds.

use jiff::Timestamp;

/// One transaction of tenantry's, as it noted it itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    pub id: i64,
    pub at: Timestamp,
    /// The role that was logged in.
    pub admin: String,
    /// Its address; `None`: a Unix socket.
    pub client: Option<String>,
    /// Of tenantry.
    pub version: String,
    /// Empty: it concerned what tenants share.
    pub tenant: String,
    pub verb: String,
    /// An array of objects with `kind`, `what`, and often `before` and `after`: as the version that wrote it put it.
    pub changes: serde_json::Value,
}
