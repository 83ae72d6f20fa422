//! Lines, one after the other.

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
