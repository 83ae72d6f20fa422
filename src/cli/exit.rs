//! Exit codes: what scripts rely on.

use std::process::ExitCode;

/// How a run ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; or nothing to do.
    Ok,
    /// An error, or an apply in which any tenant failed.
    Failed,
    /// `plan --detailed-exitcode` and `drift`: there are changes. `verify`: a leak, or a tenant that cannot work.
    Changes,
    /// Invalid command-line usage (sysexits.h, EX_USAGE). Never 2, which means changes.
    Usage,
    /// Interrupted; nothing was left half done (128 + SIGINT).
    Interrupted,
    /// Another program's code: `sandbox -- CMD` ends as CMD did.
    Other(u8),
}

impl Exit {
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Changes => 2,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Other(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
