//! Where in the files a key or a value stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::redact::redact;

/// Finds the place of a key or value again. A place counts on from file to file, as [`super::fault::Faults`] has it.
pub(super) struct Places<'a> {
    documents: &'a [Spanned<DeTable<'a>>],
    begins: Vec<usize>,
}

impl<'a> Places<'a> {
    /// Of the files, the first of which is tenants.toml; where each begins.
    pub fn new(documents: &'a [Spanned<DeTable<'a>>], begins: Vec<usize>) -> Self {
        Self { documents, begins }
    }

    /// The span of a value, such as `["tenants", "acme", "schema"]`; else of the nearest key above it.
    pub fn value(&self, path: &[&str]) -> Option<Range<usize>> {
        let file = self.file(path);
        let mut table = self.documents.get(file)?.get_ref();
        let mut nearest = None;
        for (depth, name) in path.iter().enumerate() {
            let Some((key, value)) = table.get_key_value(*name) else { break };
            nearest = Some(key.span());
            match value.get_ref() {
                _ if depth + 1 == path.len() => nearest = Some(value.span()),
                DeValue::Table(inner) => {
                    table = inner;
                    continue;
                }
                _ => nearest = Some(value.span()),
            }
            break;
        }
        nearest.map(|span| self.counted_on(file, span))
    }

    /// The span of a key's name.
    pub fn key(&self, path: &[&str]) -> Option<Range<usize>> {
        let (last, parents) = path.split_last()?;
        let file = self.file(path);
        let (key, _) = table_at(self.documents.get(file)?, parents)?.get_key_value(*last)?;
        Some(self.counted_on(file, key.span()))
    }

    /// The keys that are written in a table.
    pub fn keys(&self, path: &[&str]) -> Vec<String> {
        let table = self.documents.get(self.file(path)).and_then(|document| table_at(document, path));
        table.into_iter().flat_map(|table| table.keys()).map(|key| key.get_ref().to_string()).collect()
    }

    /// A file's source with everything masked that may be a credential.
    pub fn redact(&self, file: usize, source: &str, broken: &[Range<usize>]) -> String {
        self.documents.get(file).map_or_else(String::new, |document| redact(document, source, broken))
    }

    pub fn begins(&self) -> &[usize] {
        &self.begins
    }

    /// Only tenants and classes may be in other files than the first.
    fn file(&self, path: &[&str]) -> usize {
        let found = match path {
            [section @ ("tenants" | "classes"), name, ..] => self
                .documents
                .iter()
                .position(|document| table_at(document, &[section]).is_some_and(|t| t.contains_key(*name))),
            _ => None,
        };
        found.unwrap_or(0)
    }

    fn counted_on(&self, file: usize, span: Range<usize>) -> Range<usize> {
        let begin = self.begins.get(file).copied().unwrap_or_default();
        begin + span.start..begin + span.end
    }
}

fn table_at<'d, 'a>(document: &'d Spanned<DeTable<'a>>, path: &[&str]) -> Option<&'d DeTable<'a>> {
    path.iter().try_fold(document.get_ref(), |table, name| match table.get(*name)?.get_ref() {
        DeValue::Table(inner) => Some(inner),
        _ => None,
    })
}
