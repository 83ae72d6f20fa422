//! As whom the server runs: ourselves or, because PostgreSQL refuses root, the user postgres.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, fchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{SandboxError, io};

#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    Ourselves,
    Postgres { uid: u32, gid: u32 },
}

const PASSED_ON: [&str; 4] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"];

impl Owner {
    pub(super) fn find() -> Result<Self, SandboxError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        match uzers::get_user_by_name("postgres") {
            Some(user) if user.uid() != 0 => Ok(Self::Postgres { uid: user.uid(), gid: user.primary_group_id() }),
            _ => Err(SandboxError::NoUser),
        }
    }

    pub(super) fn give(self, file: &File) -> Result<(), SandboxError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => {
                fchown(file, Some(uid), Some(gid)).map_err(io("hand a file to the user postgres"))
            }
        }
    }

    /// A directory just made in one that only we can write to.
    pub(super) fn give_directory(self, path: &Path) -> Result<(), SandboxError> {
        let doing = "hand a directory to the user postgres";
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io(doing))?;
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => chown(path, Some(uid), Some(gid)).map_err(io(doing)),
        }
    }

    /// To what is in the directory, whose names it must know: it stays ours.
    pub(super) fn let_in(self, path: &Path) -> Result<(), SandboxError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { .. } => {
                fs::set_permissions(path, Permissions::from_mode(0o711)).map_err(io("open the server's directory"))
            }
        }
    }

    /// A program run as the owner, in `dir`: the current one may be closed to it. The process group is its own, so that
    /// a Ctrl-C in the terminal is answered by us, who then stop the server. Of our environment it gets what programs need
    /// to run: the rest may hold tokens, and whoever is that user can read it.
    pub(super) fn command(self, program: impl AsRef<OsStr>, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).stdin(Stdio::null()).process_group(0);
        command.env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| PASSED_ON.iter().any(|passed| name == passed)));
        command.env("LC_ALL", "C").env("TZ", "UTC");
        if let Self::Postgres { uid, gid } = self {
            command.uid(uid).gid(gid); // The standard library drops root's supplementary groups along with it.
        }
        command
    }
}
