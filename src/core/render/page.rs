//! Lines, one after the other, and lists of names in them.

use crate::core::model::TenantKey;

/// Text in the making.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub fn line(&mut self, indent: usize, text: impl AsRef<str>) {
        let text = text.as_ref();
        if !text.is_empty() {
            self.0.extend(std::iter::repeat_n(' ', indent));
            self.0.push_str(text);
        }
        self.0.push('\n');
    }

    /// One empty line, unless there is nothing above it or there is one already.
    pub fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// Names of a block that are shown.
const FIRST_NAMES: usize = 3;

/// The first few of many, all of a few; `more` stands for the rest.
pub(super) fn names<'a>(keys: impl Iterator<Item = &'a TenantKey>, total: usize, more: &str) -> String {
    let shown = if total <= FIRST_NAMES + 2 { total } else { FIRST_NAMES };
    let mut list: Vec<String> = keys.take(shown).map(ToString::to_string).collect();
    if shown < total {
        list.push(more.to_owned());
    }
    list.join(", ")
}
