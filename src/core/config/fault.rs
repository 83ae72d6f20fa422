//! What is wrong with a `tenants.toml`, and where.

use std::fmt;
use std::ops::Range;

use super::places::Places;
use super::text::Text;
use crate::core::render::escape::{visible, visible_lines};

/// One fault. The message is a lower-case fragment; the hint says what to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the source; `None` when the fault has no one place.
    pub span: Option<Range<usize>>,
    pub message: String,
    pub hint: Option<String>,
}

/// Every fault of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub path: String,
    /// The file's text with everything masked that may be a password, byte for byte as long as the file.
    pub source: String,
    pub faults: Vec<Fault>,
    /// The faults of other files that it includes.
    pub also: Vec<ConfigError>,
}

/// Spans count on from file to file: one that begins after so many bytes of the others is moved by them.
#[derive(Default)]
pub(super) struct Faults {
    begin: usize,
    faults: Vec<Fault>,
    /// Where the text does not parse.
    syntax: Vec<Fault>,
}

/// More faults than this are one fault many times over.
const MOST_SHOWN: usize = 100;
/// Bytes of a message, and of the text that it is about: a file may be one line of many megabytes.
const LONGEST_SHOWN: usize = 400;

impl Faults {
    /// From here on spans are those of the file that begins there.
    pub fn of_file(&mut self, begin: usize) {
        self.begin = begin;
    }

    fn counted_on(&self, span: Option<Range<usize>>) -> Option<Range<usize>> {
        span.map(|span| self.begin + span.start..self.begin + span.end)
    }

    /// Once there are enough, says so and ignores the rest.
    pub fn push(&mut self, span: Option<Range<usize>>, message: impl Into<String>, hint: Option<String>) {
        let span = self.counted_on(span);
        match self.faults.len() {
            0..MOST_SHOWN => self.faults.push(Fault { span, message: shortened(message.into()), hint }),
            MOST_SHOWN => self.faults.push(Fault {
                span: None,
                message: format!("there are more faults than these {MOST_SHOWN}"),
                hint: Some("fix these first: often they have one cause".into()),
            }),
            _ => {}
        }
    }

    /// What does not parse.
    pub fn push_syntax(&mut self, span: Option<Range<usize>>, message: &str) {
        if self.syntax.len() < MOST_SHOWN {
            let span = self.counted_on(span);
            self.syntax.push(Fault { span, message: shortened(message.to_owned()), hint: None });
        }
    }

    pub fn is_full(&self) -> bool {
        self.faults.len() > MOST_SHOWN
    }

    /// The faults of each file, in their order; those of no place are the first one's.
    pub fn into_result(self, texts: &[Text], places: &Places<'_>) -> Result<(), ConfigError> {
        let (mut faults, mut syntax) = (self.faults, self.syntax);
        let mut errors = Vec::new();
        for (file, text) in texts.iter().enumerate().rev() {
            let begin = places.begins()[file];
            let own = OfFile { faults: taken_from(&mut faults, begin), syntax: taken_from(&mut syntax, begin) };
            if file == 0 {
                let placeless = own.faults.into_iter().chain(std::mem::take(&mut faults)).collect();
                let syntax = own.syntax.into_iter().chain(std::mem::take(&mut syntax)).collect();
                errors.extend(OfFile { faults: placeless, syntax }.error(file, text, places));
            } else {
                errors.extend(own.error(file, text, places));
            }
        }
        errors.reverse();
        if errors.is_empty() {
            return Ok(());
        }
        let first = errors.remove(0);
        Err(ConfigError { also: errors, ..first })
    }
}

/// Those from a place on, counted from there.
fn taken_from(faults: &mut Vec<Fault>, begin: usize) -> Vec<Fault> {
    let is_there = |fault: &mut Fault| fault.span.as_ref().is_some_and(|span| span.start >= begin);
    let mut taken: Vec<Fault> = faults.extract_if(.., is_there).collect();
    for span in taken.iter_mut().filter_map(|fault| fault.span.as_mut()) {
        *span = span.start - begin..span.end - begin;
    }
    taken
}

/// Of one file.
struct OfFile {
    faults: Vec<Fault>,
    syntax: Vec<Fault>,
}

impl OfFile {
    /// The lines that do not parse. What was made out there may be a piece of a password for a key.
    fn broken_lines(&self, source: &str) -> Vec<Range<usize>> {
        let line = |span: &Range<usize>| {
            let (start, end) = (span.start.min(source.len()), span.end.clamp(span.start, source.len().max(span.start)));
            let first = source.as_bytes()[..start].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let rest = source.as_bytes().get(end..).unwrap_or_default().iter().position(|b| *b == b'\n');
            first..rest.map_or(source.len(), |at| end + at)
        };
        self.syntax.iter().filter_map(|fault| fault.span.as_ref()).map(line).collect()
    }

    fn error(mut self, file: usize, text: &Text, places: &Places<'_>) -> Option<ConfigError> {
        if self.faults.is_empty() && self.syntax.is_empty() {
            return None;
        }
        let source = text.source.as_str();
        let broken = self.broken_lines(source);
        let is_broken =
            |span: &Range<usize>| broken.iter().any(|line| line.start <= span.start && span.start <= line.end);
        self.faults.retain(|fault| !fault.span.as_ref().is_some_and(is_broken));
        self.faults.append(&mut self.syntax);
        self.faults.sort_by_key(|fault| fault.span.as_ref().map_or(usize::MAX, |span| span.start));
        self.faults.dedup();
        for span in self.faults.iter_mut().filter_map(|fault| fault.span.as_mut()) {
            span.start = source.floor_char_boundary(span.start);
            span.end = source.ceil_char_boundary(span.end.clamp(span.start, span.start + LONGEST_SHOWN));
        }
        let shown = places.redact(file, source, &broken);
        for fault in &mut self.faults {
            // In the place of a table, any word may have been meant for anything.
            let is_hidden = fault.span.as_ref().is_some_and(|span| shown.get(span.clone()) != source.get(span.clone()));
            if is_hidden && fault.message.starts_with("unknown value") {
                fault.message = "unknown value".into();
            }
        }
        Some(ConfigError { path: text.path.clone(), source: shown, faults: self.faults, also: Vec::new() })
    }
}

impl ConfigError {
    /// A fault that belongs to the file as a whole.
    #[must_use]
    pub fn whole(path: &str, message: impl Into<String>, hint: Option<String>) -> Self {
        let fault = Fault { span: None, message: message.into(), hint };
        Self { path: path.to_owned(), source: String::new(), faults: vec![fault], also: Vec::new() }
    }

    /// Each file that has faults.
    pub fn files(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.also)
    }

    /// How many faults, as a person says it.
    #[must_use]
    pub fn number(&self) -> String {
        match self.files().map(|file| file.faults.len()).sum() {
            1 => "1 fault".into(),
            n @ 0..=MOST_SHOWN => format!("{n} faults"),
            _ => format!("more than {MOST_SHOWN} faults"),
        }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let before = &self.source.as_bytes()[..byte.min(self.source.len())];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        (line, 1 + String::from_utf8_lossy(&before[start..]).chars().count())
    }

    /// The text to show for a span, and the bytes of it that the fault is about: its whole lines, or as much of them around it
    /// as a person reads, with what a terminal or a CI system would obey spelled out.
    #[must_use]
    pub fn excerpt(&self, span: &Range<usize>) -> (String, Range<usize>) {
        let bytes = self.bytes_to_show(span);
        let clamped = |at: usize| self.source.floor_char_boundary(at.clamp(bytes.start, bytes.end));
        let (start, end) = (clamped(span.start), clamped(span.end));
        // Where the file has tabs, they are for the eye.
        let shown = |part: Range<usize>| {
            visible_lines(&self.source[part].replace("\r\n", "\n").replace('\t', "    ")).into_owned()
        };
        let before = shown(bytes.start..start);
        let about = shown(start..end);
        let underlined = before.len()..before.len() + about.len();
        (before + &about + &shown(end..bytes.end), underlined)
    }

    fn bytes_to_show(&self, span: &Range<usize>) -> Range<usize> {
        let (text, end) = (&self.source, span.end.min(self.source.len()));
        let start = span.start.min(end);
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let rest = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let first = text.ceil_char_boundary(line.max(start.saturating_sub(LONGEST_SHOWN)));
        first..text.floor_char_boundary(rest.min(end + LONGEST_SHOWN)).max(first)
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > LONGEST_SHOWN {
        message.truncate(message.floor_char_boundary(LONGEST_SHOWN));
        message.push('…');
    }
    message
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = self.files().flat_map(|file| file.faults.iter().map(move |fault| (file, fault)));
        for (n, (file, fault)) in faults.enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            file.write_fault(f, fault)?;
        }
        Ok(())
    }
}

impl ConfigError {
    fn write_fault(&self, f: &mut fmt::Formatter<'_>, fault: &Fault) -> fmt::Result {
        match &fault.span {
            Some(span) => {
                let (line, column) = self.line_column(span.start);
                write!(f, "{}:{line}:{column}: {}", self.path, visible(&fault.message))?;
                let (excerpt, underlined) = self.excerpt(span);
                let text = excerpt.lines().next().unwrap_or_default();
                let indent = excerpt[..underlined.start].chars().count();
                let width =
                    excerpt[underlined].chars().count().clamp(1, text.chars().count().saturating_sub(indent).max(1));
                let gutter = line.to_string().len();
                let carets = "^".repeat(width);
                write!(f, "\n{line} | {text}\n{:gutter$} | {:indent$}{carets}", "", "")?;
            }
            None => write!(f, "{}: {}", self.path, visible(&fault.message))?,
        }
        match &fault.hint {
            Some(hint) => write!(f, "\n  hint: {}", visible(hint)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
pub(super) mod tests_support {
    /// What is wrong with a file, in words.
    pub fn messages(source: &str) -> Vec<String> {
        let faults = crate::core::config::parse("t.toml", source, &|_| None).err().map(|error| error.faults);
        faults.into_iter().flatten().map(|fault| fault.message).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_with_its_line_and_carets_under_it() {
        let source = "[tenants]\nacme = { acces = \"full\" }\n";
        let error = crate::core::config::parse("t.toml", source, &|_| None).unwrap_err();
        let shown = "t.toml:2:10: unknown key \"acces\"\n\
                     2 | acme = { acces = \"****\" }\n  |          ^^^^^\n  hint: did you mean \"access\"?";
        assert_eq!(error.to_string(), shown);
    }

    #[test]
    fn carets_count_characters_and_end_with_the_line() {
        let carets = |source: &str| {
            let shown = crate::core::config::parse("t.toml", source, &|_| None).unwrap_err().to_string();
            shown.lines().nth(2).unwrap().to_owned()
        };
        assert_eq!(carets("[tenants]\n\"mün\" = {}\n"), "  | ^^^^^");
        assert_eq!(carets("[tenants]\nx = { access = '''f\nu''' }\n"), "  |                ^^^^");
    }

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let error = ConfigError { source: "ab\nüc\n".into(), ..ConfigError::whole("t.toml", "", None) };
        let places = [0, 2, 3, 5, 6, 7, 100].map(|byte| error.line_column(byte));
        assert_eq!(places, [(1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1), (3, 1)]);
    }

    /// A file may be one line of many megabytes.
    #[test]
    fn of_a_long_line_only_what_is_near_is_shown() {
        let source = format!("x\n{}ü!{}\ny", "a".repeat(5_000), "b".repeat(5_000));
        let error = ConfigError { source, ..ConfigError::whole("t.toml", "", None) };
        let at = 2 + 5_000;
        let (shown, about) = error.excerpt(&(at..at + 3));
        assert_eq!((&shown[about.clone()], about.start, shown.len()), ("ü!", 400, 803));
        let (start, _) = error.excerpt(&(0..1));
        assert_eq!(start, "x");
        let (last, about) = error.excerpt(&(error.source.len() - 1..error.source.len() + 7));
        assert_eq!((last.as_str(), about), ("y", 0..1));
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(shortened("a".repeat(400)), "a".repeat(400));
        assert_eq!(shortened("a".repeat(401)), "a".repeat(400) + "…");
        assert_eq!(shortened("ü".repeat(200) + "x"), "ü".repeat(200) + "…");
        assert_eq!(shortened("a".to_owned() + &"ü".repeat(200)), "a".to_owned() + &"ü".repeat(199) + "…");
    }

    #[test]
    fn the_first_hundred_faults_are_told_and_that_there_are_more() {
        let mut faults = Faults::default();
        let filled = [99, 1, 1, 5].map(|more| {
            (0..more).for_each(|_| faults.push(None, "x", None));
            (faults.faults.len(), faults.is_full())
        });
        assert_eq!(filled, [(99, false), (100, false), (101, true), (101, true)]);
        (0..120).for_each(|_| faults.push_syntax(None, "y"));
        assert_eq!(faults.syntax.len(), 100);
    }

    /// The whole line is doubtful, and no other.
    #[test]
    fn the_lines_around_one_that_does_not_parse_are_looked_at() {
        let source = "[tenants]\na = { acces = 1 }\nglobex = {} x acces = 1\nb = { acces = 1 }\nc = { acces = 1 }\n";
        let error = crate::core::config::parse("t.toml", source, &|_| None).unwrap_err();
        let unknown = error.faults.iter().filter(|fault| fault.message == "unknown key \"acces\"");
        let lines: Vec<_> = unknown.filter_map(|fault| Some(error.line_column(fault.span.as_ref()?.start).0)).collect();
        assert_eq!(lines, [2, 4, 5], "{error}");
        assert!(error.source.contains("\nb = { acces = * }\nc = { acces = * }\n"), "{}", error.source);
    }
}
