//! A statement as a plan shows it and apply sends it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stands in a shown statement where the SCRAM verifier is sent.
pub const ELIDED_VERIFIER: &str = "'SCRAM-SHA-256$…'";

/// One statement: shown as it is sent, except for the verifier. One that is read back is only for display: its verifier is elided
/// for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
pub struct Sql {
    text: String,
    with_verifier: bool,
}

impl Sql {
    pub(crate) fn with_verifier(text: String) -> Self {
        debug_assert!(text.ends_with(ELIDED_VERIFIER));
        Self { text, with_verifier: true }
    }

    /// The statement as a plan shows it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn needs_verifier(&self) -> bool {
        self.with_verifier
    }

    /// The statement as it is sent. Never log it when [`Self::needs_verifier`].
    #[must_use]
    pub fn sent(&self, verifier_literal: &str) -> String {
        match self.text.strip_suffix(ELIDED_VERIFIER) {
            Some(head) if self.with_verifier => format!("{head}{verifier_literal}"),
            _ => self.text.clone(),
        }
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self { text, with_verifier: false }
    }
}

impl From<Sql> for String {
    fn from(sql: Sql) -> Self {
        sql.text
    }
}

pub(super) fn statements(texts: impl IntoIterator<Item = String>) -> Vec<Sql> {
    texts.into_iter().map(Sql::from).collect()
}

/// A DO block with a loop variable `o`, in a dollar quote that nothing in it can end: a name may hold `$tenantry$`.
pub(super) fn do_block(body: &str) -> String {
    let mut tag = "$tenantry$".to_owned();
    while body.contains(&tag) {
        tag.insert(tag.len() - 1, '_');
    }
    format!("DO {tag} DECLARE o text; BEGIN\n{body}\nEND {tag}")
}
