//! Where a command's words go.

use std::io::{IsTerminal, Write};

use anstream::ColorChoice;
use tracing_subscriber::EnvFilter;

use super::again::Again;
use super::args::{ColorWhen, Format, FormatName, Global, LogFormat};
use super::failure::Failure;
use tenantry::render;
use tenantry::render::escape::{marked, visible_lines};

/// stdout and stderr, each coloured only where that is wanted.
pub struct Output {
    pub format: Format,
    /// Rows are printed as CSV.
    pub csv: bool,
    pub quiet: bool,
    pub verbose: bool,
    color: ColorWhen,
    again: Again,
    heading: Heading,
}

/// The line that says which database a command talks to.
enum Heading {
    None,
    Due(String),
    Printed,
}

impl Output {
    pub fn new(global: &Global) -> Self {
        let choice = match global.color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        choice.write_global();
        Self {
            format: global.format.into(),
            csv: global.format == FormatName::Csv,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            color: global.color,
            again: Again::new(global),
            heading: Heading::None,
        }
    }

    /// For the commands that hints name, in what comes from a library that does not know how this one was typed.
    pub fn again(&self) -> &Again {
        &self.again
    }

    /// Which database it is stands above the command's first words: nobody reads a plan for another one than it is. JSON has a
    /// field for it, and -q leaves it out, like all that is the same in every run.
    pub fn talks_to(&mut self, place: &str) {
        if self.format != Format::Json && !self.csv && !self.quiet && matches!(self.heading, Heading::None) {
            self.heading = Heading::Due(place.to_owned());
        }
    }

    /// A command's result. A reader that went away (`| head`) ends the command quietly.
    pub fn print(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        if let Heading::Due(place) = &self.heading {
            let line = match self.format {
                Format::Markdown => render::markdown::paragraph(place),
                _ => format!("{place}\n\n"),
            };
            stdout.write_all(line.as_bytes()).map_err(Failure::of_stdout)?;
            self.heading = Heading::Printed;
        }
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)
    }

    /// Rows for a program, byte for byte; a terminal is shown them, and does not obey them.
    pub fn print_data(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        let shown = if stdout.is_terminal() { visible_lines(text) } else { text.into() };
        stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)
    }

    /// A line for the person watching.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.finding(text);
        }
    }

    /// A line on stderr that belongs to the command's result, and that -q does not silence.
    pub fn finding(&mut self, text: &str) {
        let _ = writeln!(anstream::stderr(), "{}", marked(&self.again.complete(text)));
    }

    /// How text for stdout is to look. anstream strips the colours again where they are not wanted.
    pub fn style(&self) -> render::Style {
        let width = terminal_width();
        let headed = !matches!(self.heading, Heading::None);
        render::Style { color: self.color != ColorWhen::Never, verbose: self.verbose, headed, width }
    }

    pub fn progress_is_wanted(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

/// Columns of the terminal; a file or a pipe gets a fixed width, so that the same plan is the same bytes.
fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(120, |(width, _)| usize::from(width.0))
}

/// The driver's log is the text of each statement, verifiers included. The modules are named because whoever names one in
/// TENANTRY_LOG means it more than whoever names the crate.
const NEVER_LOGGED: [&str; 6] = [
    "tokio_postgres=info",
    "tokio_postgres::prepare=info",
    "tokio_postgres::query=info",
    "tokio_postgres::copy_in=info",
    "tokio_postgres::copy_out=info",
    "tokio_postgres::simple_query=info",
];

/// Logs are off unless asked for with -vv or TENANTRY_LOG; the Vault client's own are never shown above debug, since
/// what a store answers is said in our errors.
pub fn start_logging(global: &Global) {
    let default = match global.verbose {
        _ if global.quiet => "off,tenantry::exposed=warn",
        0 | 1 => "tenantry=warn",
        2 => "tenantry=debug,vaultrs=off,rustify=off",
        _ => "debug,vaultrs=off,rustify=off",
    };
    let filter = EnvFilter::try_from_env("TENANTRY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let filter = NEVER_LOGGED.iter().filter_map(|quiet| quiet.parse().ok()).fold(filter, EnvFilter::add_directive);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let color = match global.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => anstream::AutoStream::choice(&std::io::stderr()) != ColorChoice::Never,
    };
    let builder = builder.with_ansi(color);
    let started = match global.log_format {
        // A warning that stands among a command's own words needs no time and no module.
        LogFormat::Text if global.verbose < 2 => builder.without_time().with_target(false).try_init(),
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Only a test that runs two commands in one process gets here twice.
    drop(started);
}
