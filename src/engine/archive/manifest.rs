//! What stands beside a dump: whose it is, what is in it, and how to tell that it is whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::model::{Access, Applied, TenantKey};
use crate::core::plan::DatabaseIdentity;

pub(super) const FORMAT: &str = "1";

/// The JSON document, format version 1. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format_version: String,
    pub tenant: TenantKey,
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub access: Access,
    /// -1: none.
    pub connection_limit: i32,
    /// `ALTER ROLE … SET`, search_path left out.
    pub settings: BTreeMap<String, String>,
    pub database: DatabaseIdentity,
    pub made_at: Timestamp,
    pub tenantry_version: String,
    pub server_version: String,
    pub pg_dump_version: String,
    pub dump: FileDigest,
    /// The tenant's large objects, which no dump of a schema holds; `None`: it has none.
    pub large_objects: Option<LargeObjects>,
    /// How many belong to an owner role that other tenants share: whose they are cannot be told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub large_objects_left_out: usize,
    /// Counted in the dump itself, by name.
    pub tables: Vec<TableRows>,
    /// How far it was tried. Archives that do not say were not.
    #[serde(default)]
    pub proved: Proved,
    /// Why it was not tried further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_no_more_because: Option<String>,
    /// `None`: the history could not be trusted, and was not read.
    pub migrations: Option<Vec<Applied>>,
    pub grants: Vec<Grant>,
}

/// What was seen of an archive before anybody relied on it. Each takes in those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proved {
    /// The files are whole, and pg_restore reads them to their end.
    #[default]
    Contents,
    /// Everything but the rows was restored, and taken back.
    Structure,
    /// All of the dump was restored, and taken back.
    Rows,
}

/// A file beside the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// A name, no path: the three files move together.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

/// A tar archive with one file a large object, named by its OID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LargeObjects {
    #[serde(flatten)]
    pub digest: FileDigest,
    pub count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    pub table: String,
    pub rows: u64,
}

/// Privileges that somebody granted, as PostgreSQL prints them (manual, "Privileges").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Such as `table tenant_acme.users`.
    pub on: String,
    pub acl: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde calls it.
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Manifest {
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// What `[tenants]` would say of this tenant.
    #[must_use]
    pub fn toml(&self) -> String {
        #[derive(Serialize)]
        struct Declared<'a> {
            schema: &'a str,
            username: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            owner: Option<&'a str>,
            access: Access,
            connection_limit: i32,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            settings: &'a BTreeMap<String, String>,
        }
        let declared = Declared {
            schema: &self.schema,
            username: &self.username,
            owner: (self.access != Access::Owner).then_some(&self.owner),
            access: self.access,
            connection_limit: self.connection_limit,
            settings: &self.settings,
        };
        let all = BTreeMap::from([("tenants", BTreeMap::from([(self.tenant.as_str(), declared)]))]);
        toml::to_string(&all).unwrap_or_default()
    }
}
