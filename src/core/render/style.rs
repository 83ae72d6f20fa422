//! How text is to look: colours or none, short or long.

use owo_colors::Style as Ansi;

use crate::core::plan::Verb;

/// What the reader's terminal takes, as the command line found it out.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub color: bool,
    /// Each tenant on its own, with its SQL.
    pub verbose: bool,
    /// A line above says already which database it is.
    pub headed: bool,
    /// Columns; what is wider is shown as a diff of two lines.
    pub width: usize,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, verbose: false, headed: false, width: 120 }
    }
}

/// What a piece of text means; its colour follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Create,
    Update,
    Remove,
    Danger,
    Faint,
    Strong,
}

impl Tone {
    pub fn of(verb: Verb) -> Self {
        match verb {
            Verb::Create => Self::Create,
            Verb::Update => Self::Update,
            Verb::Remove => Self::Remove,
            Verb::Blocked => Self::Danger,
            Verb::Unchanged => Self::Faint,
        }
    }

    pub fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Remove => "-",
            Self::Danger => "!",
            Self::Faint | Self::Strong => " ",
        }
    }
}

impl Style {
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let ansi = match tone {
            Tone::Create => Ansi::new().green(),
            Tone::Update => Ansi::new().yellow(),
            Tone::Remove => Ansi::new().red(),
            Tone::Danger => Ansi::new().red().bold(),
            Tone::Faint => Ansi::new().dimmed(),
            Tone::Strong => Ansi::new().bold(),
        };
        ansi.style(text).to_string()
    }

    /// The sign of a tone, in its colour.
    pub(super) fn sign(self, tone: Tone) -> String {
        self.paint(tone, tone.sign())
    }
}
