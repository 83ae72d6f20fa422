//! What no team writes on purpose: files that are too large, too deep, broken, or no files. Each is a clear error, in bounded
//! time and memory, and whatever PostgreSQL takes is taken.
mod ascii;
mod configuration;
mod encodings;
mod markers;
mod migrations;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::snapshot::isolate;
use tempfile::TempDir;

/// A project without a database, for `validate`.
pub struct Project(TempDir);

/// How `validate` ended.
pub struct Said {
    code: Option<i32>,
    text: String,
}

impl Project {
    /// With this tenants.toml, and an empty directory of migrations.
    pub fn new(config: impl AsRef<[u8]>) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        fs::create_dir(project.path().join("migrations")).unwrap();
        fs::write(project.path().join("tenants.toml"), config).unwrap();
        project
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn migration(&self, file: impl AsRef<Path>, sql: impl AsRef<[u8]>) {
        fs::write(self.path().join("migrations").join(file), sql).unwrap();
    }

    /// Within two minutes of a processor's time and 2 GB of address space: what takes more is killed, and has no exit code.
    pub fn validate(&self, config: &str) -> Said {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -t 120; ulimit -v 2000000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tenantry")]);
        isolate(&mut command, self.path());
        let output = command.args(["validate", "-c", config]).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        Said { code: output.status.code(), text }
    }
}

impl Said {
    /// An error of these words, and not so long that nobody reads it.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) {
        let shown = &self.text[..self.text.floor_char_boundary(3000)];
        assert_eq!(self.code, Some(1), "{shown}");
        assert!(self.text.len() < 200_000, "{} bytes: {shown}", self.text.len());
        for word in words {
            assert!(self.text.contains(word), "{word:?} is not in {shown}");
        }
    }

    #[track_caller]
    pub fn takes(self) {
        assert_eq!(self.code, Some(0), "{}", &self.text[..self.text.floor_char_boundary(3000)]);
    }
}
