//! What stands in a document of ours where the store keeps no versions and no metadata of its own.

use serde_json::{Map, Value};

use super::store::Found;
use crate::core::model::secret::{Mark, Secret, SecretHead};

/// The secret's document with who wrote it and a counter.
pub(super) fn counted(secret: &Secret, version: u64) -> Map<String, Value> {
    let mut document = secret.to_json();
    document.insert("managed_by".to_owned(), Secret::MANAGED_BY.into());
    document.insert("version".to_owned(), version.into());
    mark(&mut document, &secret.mark);
    document
}

pub(super) fn mark(document: &mut Map<String, Value>, mark: &Mark) {
    document.extend(mark.entries().map(|(key, value)| (key.to_owned(), value.into())));
}

/// The counter; 0 for a document that somebody else wrote.
pub(super) fn version(document: &Value) -> u64 {
    document.get("version").and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn head(document: &Value) -> SecretHead {
    let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
    SecretHead {
        version: version(document).to_string(),
        created: None,
        managed_by: text("managed_by"),
        tenant: text("tenant"),
        database: text("database"),
        mark: Mark::read(text),
    }
}

pub(super) fn found(head: SecretHead, document: &Value) -> Found {
    match Secret::from_json(document) {
        Ok(mut secret) => {
            // Ours, and counted again at the next write: not keys that others added.
            if document.get("managed_by").is_some_and(|by| by == Secret::MANAGED_BY) {
                let written = ["managed_by", "version"].into_iter().chain(Mark::KEYS);
                written.for_each(|key| drop(secret.others.shift_remove(key)));
            }
            Found::Readable(head, secret)
        }
        Err(fault) => Found::Foreign { head, reason: fault.to_string() },
    }
}
