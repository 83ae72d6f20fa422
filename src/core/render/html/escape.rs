//! Text in HTML.

use crate::core::render::escape::visible;

/// Text for HTML, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
