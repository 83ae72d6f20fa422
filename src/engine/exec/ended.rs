//! How programs end.

use std::time::Duration;

use crate::core::model::TenantKey;
use crate::core::rows::Fault;

/// How one ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Exit(i32),
    Signal(i32),
    /// It could not be started.
    Failed(Fault),
    /// It was not started, and why.
    Skipped(String),
}

/// What became of one tenant's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    pub tenant: TenantKey,
    pub ended: Ended,
    pub took: Duration,
}

impl Ran {
    #[must_use]
    pub fn failed(&self) -> bool {
        !matches!(self.ended, Ended::Exit(0) | Ended::Skipped(_))
    }
}
