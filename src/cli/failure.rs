//! How an error is printed: what was being done, every cause behind it, and what to type next.

use std::fmt;
use std::io::Write;

use miette::{
    Diagnostic, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents, Report, Severity, SourceCode,
    SourceSpan, SpanContents,
};
use owo_colors::OwoColorize;

use super::args::{Format, Global};
use super::exit::Exit;
use super::validate::count;
use crate::config::ConfigError;
use crate::error::{Error, with_causes};

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
    fn from(error: Error) -> Self {
        Self::Error(error)
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
        if global.format == Format::Json {
            let mut error = serde_json::json!({ "message": self.to_string(), "hint": self.hint() });
            if let Some(faults) = self.faults() {
                error["faults"] = faults;
            }
            let _ = writeln!(stderr, "{}", serde_json::json!({ "error": error }));
            return;
        }
        if let Self::Error(Error::Config(error)) = self
            && !error.source.is_empty()
        {
            print_faults(&mut stderr, error);
            return;
        }
        if let Self::Error(Error::Migrations(faults)) = self {
            for fault in faults {
                print_one(&mut stderr, &fault.to_string(), fault.hint.as_deref());
            }
            return;
        }
        print_one(&mut stderr, &self.to_string(), self.hint().as_deref());
    }

    /// The faults of a file one by one, for a program that shows each in its place.
    fn faults(&self) -> Option<serde_json::Value> {
        match self {
            Self::Error(Error::Config(error)) if !error.source.is_empty() => {
                let faults = error.faults.iter().map(|fault| {
                    let (line, column) = fault.span.as_ref().map(|span| error.line_column(span.start)).unzip();
                    serde_json::json!({ "file": error.path, "line": line, "column": column, "message": fault.message, "hint": fault.hint })
                });
                Some(faults.collect())
            }
            Self::Error(Error::Migrations(faults)) => {
                let faults = faults.iter().map(|fault| {
                    serde_json::json!({ "file": fault.file, "line": fault.line, "message": fault.message, "hint": fault.hint })
                });
                Some(faults.collect())
            }
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Error(Error::Config(error)) if error.source.is_empty() => {
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
            Self::Error(Error::Config(error)) if !error.source.is_empty() => {
                write!(f, "{} in {}", count(error.faults.len(), "fault"), error.path)
            }
            Self::Error(Error::Config(error)) => {
                let message = error.faults.first().map_or("", |fault| fault.message.as_str());
                write!(f, "{}: {message}", error.path)
            }
            Self::Error(error) => f.write_str(&with_causes(error)),
            Self::Refused { message, .. } => f.write_str(message),
            Self::BrokenPipe => f.write_str("stdout was closed"),
            Self::Stdout(error) => write!(f, "writing to stdout: {error}"),
        }
    }
}

fn print_one(stderr: &mut impl Write, message: &str, hint: Option<&str>) {
    let _ = writeln!(stderr, "{}: {message}", "error".red().bold());
    if let Some(hint) = hint {
        let _ = writeln!(stderr, " {}: {hint}", "hint".cyan().bold());
    }
}

/// Every fault of a configuration with its line, as miette draws it, and their number at the end.
fn print_faults(stderr: &mut impl Write, error: &ConfigError) {
    for fault in &error.faults {
        let mut diagnostic = MietteDiagnostic::new(fault.message.clone()).with_severity(Severity::Error);
        if let Some(hint) = &fault.hint {
            diagnostic = diagnostic.with_help(hint.clone());
        }
        let mut place = error.path.clone();
        if let Some(span) = &fault.span {
            let (line, column) = error.line_column(span.start);
            place = format!("{place}:{line}:{column}");
            diagnostic = diagnostic.with_label(LabeledSpan::underline(span.clone()));
        }
        diagnostic.message = format!("{place}: {}", diagnostic.message);
        let source = WholeLines { name: error.path.clone(), text: error.source.clone() };
        let report = Report::new(diagnostic).with_source_code(source);
        let _ = writeln!(stderr, "{}", Shown(&report));
    }
    let _ = writeln!(stderr, "{}: {} in {}", "error".red().bold(), count(error.faults.len(), "fault"), error.path);
}

/// A fault's whole line, and no line around it: miette shows either the span alone or neighbouring lines too.
struct WholeLines {
    name: String,
    text: String,
}

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let place = self.text.read_span(span, before, after)?;
        let inside = place.span();
        let start = self.text[..inside.offset()].rfind('\n').map_or(0, |at| at + 1);
        let rest = &self.text[inside.offset() + inside.len()..];
        let end = self.text.len() - rest.len() + rest.find('\n').unwrap_or(rest.len());
        let lines = self.text.read_span(&(start..end).into(), 0, 0)?;
        let (data, all) = (lines.data(), *lines.span());
        // The column of the fault itself, which stands in the frame's head.
        let contents = MietteSpanContents::new_named(
            self.name.clone(),
            data,
            all,
            place.line(),
            place.column(),
            lines.line_count(),
        );
        Ok(Box::new(contents))
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
