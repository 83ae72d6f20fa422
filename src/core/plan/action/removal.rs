//! What goes with a tenant that is no longer declared.

use std::path::PathBuf;

use super::view::{Action, Kind};
use crate::core::model::{Subject, ident};
use crate::core::plan::statement::{Sql, statements};
use crate::core::words::{count, size};

/// Nobody may log in as the tenant any more, and its sessions end, before the transaction begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndSessions {
    /// Those that are there, of its username and the two users that log in for it, if they do.
    pub roles: Vec<String>,
    pub username: String,
    /// The one that is let in again when nothing comes of it.
    pub login: String,
    /// Nothing of it is left behind, so a plan shows nothing afterwards.
    pub is_dropped: bool,
}

impl Action for EndSessions {
    fn kind(&self) -> Kind {
        Kind::EndSessions
    }

    fn what(&self) -> String {
        format!("sessions of {}", self.roles.join(", "))
    }

    fn after(&self) -> Option<String> {
        (!self.is_dropped).then(|| "ended".into())
    }
}

/// The schema with its tables locked against writes; what follows happens only once the archive was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MakeArchive {
    pub subject: Subject,
    /// Those that own what is in it.
    pub roles: Vec<String>,
    pub dir: PathBuf,
}

impl Action for MakeArchive {
    fn kind(&self) -> Kind {
        Kind::Archive
    }

    fn what(&self) -> String {
        format!("archive of schema {}", self.subject.schema)
    }

    fn after(&self) -> Option<String> {
        Some(format!("in {}", self.dir.display()))
    }

    fn sql(&self) -> Vec<Sql> {
        statements([
            "-- LOCK TABLE ONLY ... IN EXCLUSIVE MODE, of every table in the schema".to_owned(),
            format!(
                "-- pg_dump --format=custom --schema={} as a role made for it with the rights of {}",
                ident(&self.subject.schema),
                self.roles.join(", ")
            ),
        ])
    }
}

/// The large objects of the roles that are dropped, so many in a transaction, before the roles go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropLargeObjects {
    pub roles: Vec<String>,
    pub objects: i64,
    pub at_once: i64,
}

impl Action for DropLargeObjects {
    fn kind(&self) -> Kind {
        Kind::DropLargeObjects
    }

    fn what(&self) -> String {
        format!("large objects of {}", self.roles.join(", "))
    }

    fn before(&self) -> Option<String> {
        Some(self.objects.to_string())
    }

    fn sql(&self) -> Vec<Sql> {
        let at_once = self.at_once;
        statements([format!("-- SELECT lo_unlink(...), {at_once} at a time, each time in a transaction of its own")])
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropSchema {
    pub schema: String,
    pub tables: i64,
    pub bytes: i64,
    /// So many tables go in a transaction, before the rest goes with the tenant; `None`: all of it goes with the tenant.
    pub at_once: Option<i64>,
}

impl Action for DropSchema {
    fn kind(&self) -> Kind {
        Kind::DropSchema
    }

    fn what(&self) -> String {
        format!("schema {}", self.schema)
    }

    fn before(&self) -> Option<String> {
        Some(format!("{}, {}", count(self.tables, "table"), size(self.bytes)))
    }

    fn sql(&self) -> Vec<Sql> {
        let in_batches = self
            .at_once
            .map(|tables| format!("-- DROP TABLE ..., {tables} at a time, each time in a transaction of its own"));
        statements(in_batches.into_iter().chain([format!("DROP SCHEMA {} CASCADE", ident(&self.schema))]))
    }
}
