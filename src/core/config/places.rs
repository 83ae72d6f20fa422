//! Where in the file a key or a value stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::redact::redact;

/// Finds the place of a key or value again.
pub(super) struct Places<'a>(&'a Spanned<DeTable<'a>>);

impl<'a> Places<'a> {
    pub fn new(document: &'a Spanned<DeTable<'a>>) -> Self {
        Self(document)
    }

    /// The span of a value, such as `["tenants", "acme", "schema"]`; else of the nearest key above it.
    pub fn value(&self, path: &[&str]) -> Option<Range<usize>> {
        let mut table = self.0.get_ref();
        let mut nearest = None;
        for (depth, name) in path.iter().enumerate() {
            let Some((key, value)) = table.get_key_value(*name) else { return nearest };
            nearest = Some(key.span());
            match value.get_ref() {
                _ if depth + 1 == path.len() => return Some(value.span()),
                DeValue::Table(inner) => table = inner,
                _ => return Some(value.span()),
            }
        }
        nearest
    }

    /// The span of a key's name.
    pub fn key(&self, path: &[&str]) -> Option<Range<usize>> {
        let (last, parents) = path.split_last()?;
        let mut table = self.0.get_ref();
        for name in parents {
            match table.get(*name)?.get_ref() {
                DeValue::Table(inner) => table = inner,
                _ => return None,
            }
        }
        table.get_key_value(*last).map(|(key, _)| key.span())
    }

    /// The source with everything masked that may be a credential.
    pub fn redact(&self, source: &str, broken: &[Range<usize>]) -> String {
        redact(self.0, source, broken)
    }
}
