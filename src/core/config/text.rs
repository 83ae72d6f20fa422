//! The texts that a configuration is made of: tenants.toml, the files that it includes, the rows of its source.

use crate::core::model::Origin;

/// One of the texts.
#[derive(Clone, Debug)]
pub struct Text {
    /// As faults name it.
    pub path: String,
    pub source: String,
    pub origin: Origin,
}

impl Text {
    #[must_use]
    pub fn file(path: impl Into<String>, source: impl Into<String>) -> Self {
        Self { path: path.into(), source: source.into(), origin: Origin::File }
    }

    /// The line of a byte, as a sentence has it.
    pub(super) fn place(&self, byte: usize) -> String {
        let line = 1 + self.source.as_bytes()[..byte.min(self.source.len())].iter().filter(|b| **b == b'\n').count();
        match self.origin {
            Origin::File => format!("{}, line {line}", self.path),
            Origin::Source => format!("row {line} of {}", self.path),
            Origin::Api => self.path.clone(),
        }
    }
}

/// A file that `include` names and that could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    pub message: String,
    pub hint: Option<String>,
}
