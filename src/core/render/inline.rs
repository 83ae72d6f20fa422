//! From → to: side by side where it fits, as a diff where it does not.

use similar::{ChangeTag, TextDiff};

use super::Style;
use super::escape::{MARK, visible, visible_lines};
use super::page::Page;
use super::style::Tone;

/// One thing with its change: on one line, or a diff below it.
pub(super) fn change(
    page: &mut Page,
    indent: usize,
    head: &str,
    before: Option<&str>,
    after: Option<&str>,
    style: Style,
) {
    match (before, after) {
        (None, None) => page.line(indent, head),
        (Some(one), None) | (None, Some(one)) => {
            if one.contains('\n') {
                page.line(indent, head);
                for line in one.lines() {
                    page.line(indent + 4, format!("{MARK}{}", visible(line)));
                }
            } else {
                page.line(indent, format!("{head}  {}", visible(one)));
            }
        }
        // The same words and another value, as of a secret whose password alone changes.
        (Some(before), Some(after)) if before == after => change(page, indent, head, None, Some(after), style),
        (Some(before), Some(after)) => both(page, indent, head, before, after, style),
    }
}

fn both(page: &mut Page, indent: usize, head: &str, before: &str, after: &str, style: Style) {
    if before.contains('\n') || after.contains('\n') {
        page.line(indent, head);
        return lines(page, indent + 4, MARK, (before, after), style);
    }
    // What both sides say of the same role is said once.
    let (subject, from, to) = match (before.split_once(": "), after.split_once(": ")) {
        (Some((one, from)), Some((other, to))) if one == other => (format!("{}: ", visible(one)), from, to),
        _ => (String::new(), before, after),
    };
    let one_line = format!("{subject}{} → {}", visible(from), visible(to));
    if indent + head.chars().count() + one_line.chars().count() <= style.width.max(60) {
        page.line(indent, format!("{head}  {one_line}"));
    } else {
        page.line(indent, format!("{head}  {subject}").trim_end());
        let (old, new) = words(&visible(from), &visible(to), style);
        page.line(indent + 4, format!("{} {old}", style.sign(Tone::Remove)));
        page.line(indent + 4, format!("{} {new}", style.sign(Tone::Create)));
    }
}

/// A diff line by line; `same` stands before a line of both sides.
pub(super) fn lines(page: &mut Page, indent: usize, same: &str, (before, after): (&str, &str), style: Style) {
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let text = visible_lines(change.value().trim_end_matches('\n')).into_owned();
        let (sign, tone) = match change.tag() {
            ChangeTag::Equal => {
                page.line(indent, format!("{same}{text}").trim_end());
                continue;
            }
            ChangeTag::Delete => ("-", Tone::Remove),
            ChangeTag::Insert => ("+", Tone::Create),
        };
        page.line(indent, style.paint(tone, format!("{sign} {text}").trim_end()));
    }
}

/// Both texts, the words that differ in colour.
fn words(before: &str, after: &str, style: Style) -> (String, String) {
    let (mut old, mut new) = (String::new(), String::new());
    for change in TextDiff::from_words(before, after).iter_all_changes() {
        match change.tag() {
            ChangeTag::Equal => {
                old.push_str(change.value());
                new.push_str(change.value());
            }
            ChangeTag::Delete => old.push_str(&style.paint(Tone::Remove, change.value())),
            ChangeTag::Insert => new.push_str(&style.paint(Tone::Create, change.value())),
        }
    }
    (old, new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: Option<&str>, after: Option<&str>) -> String {
        let mut page = Page::default();
        change(&mut page, 2, "~ thing", before, after, Style { width: 60, ..Style::default() });
        page.into_string()
    }

    #[test]
    fn short_texts_stand_side_by_side_and_long_ones_are_diffed() {
        assert_eq!(shown(Some("u: none"), Some("u: SELECT")), "  ~ thing  u: none → SELECT\n");
        assert_eq!(shown(None, Some("x\x1b")), "  ~ thing  x\\u{1b}\n");
        let long = "a, ".repeat(20);
        assert_eq!(
            shown(Some(&format!("{long}b")), Some(&format!("{long}c"))),
            format!("  ~ thing\n      - {long}b\n      + {long}c\n")
        );
        assert_eq!(shown(Some("a\nb"), Some("a\nc")), "  ~ thing\n      | a\n      - b\n      + c\n");
    }
}
