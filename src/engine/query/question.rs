//! What tenants are asked.

use std::time::Duration;

use crate::core::rows::{NotReading, Reading};

/// One statement that reads, and how much it may take.
#[derive(Clone, Debug)]
pub struct Question {
    pub(super) reading: Reading,
    /// For each tenant: the server cancels what takes longer.
    pub timeout: Duration,
    /// Of each tenant; the rest is cut off, and said to be.
    pub max_rows: usize,
}

impl Question {
    pub const TIMEOUT: Duration = Duration::from_secs(30);
    pub const MAX_ROWS: usize = 10_000;

    /// With the usual limits.
    ///
    /// # Errors
    /// When it is not one SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN.
    pub fn new(sql: &str) -> Result<Self, NotReading> {
        Ok(Self { reading: Reading::new(sql)?, timeout: Self::TIMEOUT, max_rows: Self::MAX_ROWS })
    }
}
