//! What is archived, and with what.

use super::deputy::Deputy;
use super::programs::Programs;
use crate::core::model::{Desired, Server, Subject};
use crate::core::plan::DatabaseIdentity;
use crate::engine::database::Target;

/// What is archived, and with what.
pub(crate) struct Source<'a> {
    pub subject: &'a Subject,
    pub database: DatabaseIdentity,
    pub deputy: &'a Deputy,
    pub programs: &'a Programs,
    /// As whom we are connected.
    pub target: &'a Target,
    pub server: &'a Server,
    pub desired: &'a Desired,
}
