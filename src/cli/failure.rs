//! How an error is printed: what was being done, every cause behind it, and what to type next.

use std::fmt;
use std::io::Write;

use miette::{Diagnostic, LabeledSpan, MietteDiagnostic, NamedSource, Report, Severity};
use owo_colors::OwoColorize;

use super::args::{Format, Global};
use super::exit::Exit;
use crate::config::ConfigError;
use crate::error::Error;

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
            let mut error = serde_json::json!({ "error": { "message": self.to_string(), "hint": self.hint() } });
            if let Self::Error(Error::Config(config)) = self {
                error["error"]["message"] = format!("{} faults in {}", config.faults.len(), config.path).into();
                error["error"]["faults"] = faults_json(config);
            }
            let _ = writeln!(stderr, "{error}");
            return;
        }
        if let Self::Error(Error::Config(error)) = self
            && !error.source.is_empty()
        {
            print_faults(&mut stderr, error);
            return;
        }
        let _ = writeln!(stderr, "{}: {self}", "error".red().bold());
        if let Some(hint) = self.hint() {
            let _ = writeln!(stderr, " {}: {hint}", "hint".cyan().bold());
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Error(error) => error.hint(),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::BrokenPipe | Self::Stdout(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => {
                write!(f, "{error}")?;
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
            Self::Refused { message, .. } => f.write_str(message),
            Self::BrokenPipe => f.write_str("stdout was closed"),
            Self::Stdout(error) => write!(f, "writing to stdout: {error}"),
        }
    }
}

fn faults_json(config: &ConfigError) -> serde_json::Value {
    let fault = |fault: &crate::config::Fault| {
        let place = fault.span.as_ref().map(|span| config.line_column(span.start));
        serde_json::json!({
            "file": config.path,
            "line": place.map(|(line, _)| line),
            "column": place.map(|(_, column)| column),
            "message": fault.message,
            "hint": fault.hint,
        })
    };
    config.faults.iter().map(fault).collect()
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
        let report = Report::new(diagnostic).with_source_code(NamedSource::new(&error.path, error.source.clone()));
        let _ = writeln!(stderr, "{}", Shown(&report));
    }
    let count = error.faults.len();
    let _ = writeln!(
        stderr,
        "{}: {count} {} in {}",
        "error".red().bold(),
        if count == 1 { "fault" } else { "faults" },
        error.path
    );
}

/// Drawn without miette's own terminal detection: anstream decides about colours.
struct Shown<'a>(&'a Report);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode())
            .with_links(false)
            .with_width(100)
            .with_context_lines(1);
        let diagnostic: &dyn Diagnostic = self.0.as_ref();
        handler.render_report(f, diagnostic)
    }
}
