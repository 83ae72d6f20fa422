//! How an error is printed: what was being done, every cause behind it, and what to type next.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use miette::{
    Diagnostic, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents, Report, Severity, SourceCode,
    SourceSpan, SpanContents,
};
use owo_colors::OwoColorize;
use regex::Regex;
use tenantry::config::ConfigError;
use tenantry::render::escape::{marked, visible};
use tenantry::render::json::line;
use tenantry::words::count;
use tenantry::{Error, RunError};

use super::again::Again;
use super::args::{Format, Global};
use super::exit::Exit;
use super::flags;

/// Why a command ends before its end.
#[derive(Debug)]
pub enum Failure {
    Error(Error),
    /// A sentence of the command line's own, with what to type next.
    Refused {
        message: String,
        hint: String,
    },
    /// stdout is gone: the reader has seen enough.
    BrokenPipe,
    Stdout(std::io::Error),
}

impl From<Error> for Failure {
    /// In the words of the command line, where the library has others.
    fn from(error: Error) -> Self {
        let (message, hint) = match &error {
            Error::Refused(refusal) => match flags::of_refusal(refusal) {
                Some(words) => words,
                None => return Self::Error(error),
            },
            Error::Consent(needs) => (needs.message.clone(), flags::of_needs(needs)),
            Error::Run(_) => return Self::Error(error),
        };
        Self::Refused { message, hint }
    }
}

/// Says what was being done when the file system said no.
pub trait Context<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, Failure>;
}

impl<T> Context<T> for Result<T, std::io::Error> {
    fn doing(self, what: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|source| Error::from(RunError::Io { doing: what.into(), source }).into())
    }
}

impl Failure {
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }

    pub fn of_stdout(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Stdout(error) }
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::BrokenPipe => Exit::Ok,
            _ => Exit::Failed,
        }
    }

    /// To stderr; as JSON when that is the format, so that a script need not read prose.
    pub fn print(&self, global: &Global) {
        let mut stderr = anstream::stderr();
        if let Self::BrokenPipe = self {
            return;
        }
        let again = Again::new(global);
        let hint = self.hint().map(|hint| again.complete(&hint).into_owned());
        if global.format == Format::Json {
            let hint = hint.map(|hint| veiled(&hint).into_owned());
            let mut error = serde_json::json!({ "message": veiled(&self.to_string()), "hint": hint });
            if let Some(faults) = self.faults() {
                error["faults"] = faults;
            }
            let _ = writeln!(stderr, "{}", line(&serde_json::json!({ "error": error })));
            return;
        }
        if let Self::Error(Error::Run(RunError::Config(error))) = self
            && !error.source.is_empty()
        {
            print_faults(&mut stderr, error);
            return;
        }
        if let Self::Error(Error::Run(RunError::Migrations(faults))) = self {
            for fault in faults {
                print_one(&mut stderr, &fault.to_string(), fault.hint.as_deref());
            }
            return;
        }
        print_one(&mut stderr, &self.to_string(), hint.as_deref());
    }

    /// The faults of a file one by one, for a program that shows each in its place.
    fn faults(&self) -> Option<serde_json::Value> {
        match self {
            Self::Error(Error::Run(RunError::Config(error))) if !error.source.is_empty() => {
                let faults = error.files().flat_map(|file| file.faults.iter().map(move |fault| (file, fault)));
                let faults = faults.map(|(file, fault)| {
                    let (line, column) = fault.span.as_ref().map(|span| file.line_column(span.start)).unzip();
                    serde_json::json!({ "file": file.path, "line": line, "column": column, "message": fault.message, "hint": fault.hint })
                });
                Some(faults.collect())
            }
            Self::Error(Error::Run(RunError::Migrations(faults))) => {
                let faults = faults.iter().map(|fault| {
                    serde_json::json!({ "file": fault.file, "line": fault.line, "message": fault.message, "hint": fault.hint })
                });
                Some(faults.collect())
            }
            _ => None,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Error(Error::Run(RunError::Config(error))) if error.source.is_empty() => {
                error.faults.first().and_then(|fault| fault.hint.clone())
            }
            Self::Error(error) => error.hint(),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::BrokenPipe | Self::Stdout(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(Error::Run(RunError::Config(error))) if !error.source.is_empty() => {
                write!(f, "{} in {}", error.number(), places_of(error))
            }
            Self::Error(Error::Run(RunError::Config(error))) => {
                let message = error.faults.first().map_or("", |fault| fault.message.as_str());
                write!(f, "{}: {message}", error.path)
            }
            Self::Error(error) => f.write_str(&error.in_one_line()),
            Self::Refused { message, .. } => f.write_str(message),
            Self::BrokenPipe => f.write_str("stdout was closed"),
            Self::Stdout(error) => write!(f, "writing to stdout: {error}"),
        }
    }
}

fn print_one(stderr: &mut impl Write, message: &str, hint: Option<&str>) {
    let _ = writeln!(stderr, "{}: {}", "error".red().bold(), marked(&veiled(message)));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, " {}: {}", "hint".cyan().bold(), marked(&veiled(hint)));
    }
}

/// A URL that was typed where a file or a key belongs is repeated without its password.
fn veiled(text: &str) -> Cow<'_, str> {
    match Regex::new(r"(://[^\s@:]*):\S*@") {
        Ok(password) => password.replace_all(text, "$1:…@"),
        Err(_) => Cow::Borrowed(text),
    }
}

/// Every fault of a configuration with its line, as miette draws it, and their number at the end.
fn print_faults(stderr: &mut impl Write, error: &ConfigError) {
    for error in error.files() {
        print_faults_of_file(stderr, error);
    }
    let _ = writeln!(stderr, "{}: {} in {}", "error".red().bold(), error.number(), visible(&places_of(error)));
}

fn places_of(error: &ConfigError) -> String {
    match error.also.len() {
        0 => error.path.clone(),
        others => count(1 + others, "file"),
    }
}

fn print_faults_of_file(stderr: &mut impl Write, error: &ConfigError) {
    let path = visible(&error.path);
    for fault in &error.faults {
        let mut diagnostic = MietteDiagnostic::new(visible(&fault.message)).with_severity(Severity::Error);
        if let Some(hint) = &fault.hint {
            diagnostic = diagnostic.with_help(visible(hint));
        }
        let report = match &fault.span {
            Some(span) => {
                let (line, column) = error.line_column(span.start);
                diagnostic.message = format!("{path}:{line}:{column}: {}", diagnostic.message);
                let (text, underlined) = error.excerpt(span);
                let excerpt = Excerpt { path: path.clone().into_owned(), text, line, column };
                let label = LabeledSpan::underline(underlined);
                Report::new(diagnostic.with_label(label)).with_source_code(excerpt)
            }
            None => {
                diagnostic.message = format!("{path}: {}", diagnostic.message);
                Report::new(diagnostic)
            }
        };
        let _ = writeln!(stderr, "{}", Shown(&report));
    }
}

/// A fault's own lines, and none around them: miette shows either the span alone or neighbouring lines too, and reads
/// the file from its beginning for each.
struct Excerpt {
    path: String,
    text: String,
    /// The fault's own place, from 1.
    line: usize,
    column: usize,
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = (0, self.text.len()).into();
        let (line, column) = (self.line - 1, self.column - 1);
        let lines = self.text.lines().count();
        Ok(Box::new(MietteSpanContents::new_named(self.path.clone(), self.text.as_bytes(), whole, line, column, lines)))
    }
}

/// Drawn without miette's own terminal detection: anstream decides about colours.
struct Shown<'a>(&'a Report);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode())
            .with_links(false)
            .with_width(100)
            .with_context_lines(0);
        let diagnostic: &dyn Diagnostic = self.0.as_ref();
        handler.render_report(f, diagnostic)
    }
}
