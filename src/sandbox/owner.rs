//! As whom the server runs: ourselves or, because PostgreSQL refuses root, the user postgres.

use std::ffi::OsStr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{SandboxError, io};

#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    Ourselves,
    Postgres { uid: u32, gid: u32 },
}

impl Owner {
    pub(super) fn find() -> Result<Self, SandboxError> {
        if id(&["-u"]) != Some(0) {
            return Ok(Self::Ourselves);
        }
        match (id(&["-u", "postgres"]), id(&["-g", "postgres"])) {
            (Some(uid), Some(gid)) if uid != 0 => Ok(Self::Postgres { uid, gid }),
            _ => Err(SandboxError::NoUser),
        }
    }

    pub(super) fn give(self, path: &Path) -> Result<(), SandboxError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(io("hand a file to the user postgres"))
            }
        }
    }

    /// A program run as the owner, in `dir`: the current one may be closed to it. The process group is its own, so that
    /// a Ctrl-C in the terminal is answered by us, who then stop the server.
    pub(super) fn command(self, program: impl AsRef<OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).stdin(Stdio::null()).process_group(0);
        // The caller's PG* variables are about another server.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Self::Postgres { uid, gid } = self {
            command.uid(uid).gid(gid); // The standard library drops root's supplementary groups along with it.
        }
        command
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}
