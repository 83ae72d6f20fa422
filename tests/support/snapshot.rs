//! Text compared with a file of the repository. `make snapshots` (SNAPSHOTS=overwrite) writes the files anew.
#![allow(dead_code)] // Each test binary uses a part.

use std::path::{Path, PathBuf};
use std::process::Command;

use snapbox::{Assert, Data};

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `path` is relative to the repository.
#[track_caller]
pub fn assert_is(actual: &str, path: &str) {
    let file = root().join(path);
    if !file.exists() && std::env::var_os("SNAPSHOTS").is_some() {
        std::fs::write(&file, "").unwrap();
    }
    // Raw: "..." and "[..]" are text here, not wildcards.
    let expected = Data::read_from(&file, None).raw();
    Assert::new().action_env("SNAPSHOTS").eq(Data::text(actual), expected);
}

/// The binary under test, which finds no database and no Vault but the one it is told of.
pub fn tenantry(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    isolate(&mut command, dir);
    command
}

/// In `dir`, with a home of its own, without the caller's PG*, VAULT_* and TENANTRY_*; help is 100 columns wide.
pub fn isolate(command: &mut Command, dir: &Path) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["PG", "VAULT_", "BAO_", "TENANTRY_", "CLICOLOR", "COLUMNS"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).env("HOME", dir).env("NO_COLOR", "1");
}

/// What a person would have seen: stdout, stderr, and the exit code.
pub fn transcript(mut command: Command) -> String {
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    format!(
        "$ tenantry {}\n--- stdout\n{}--- stderr\n{}--- exit {}\n",
        args.join(" "),
        text(output.stdout),
        text(output.stderr),
        output.status.code().unwrap()
    )
}

/// A copy of a directory of the repository, which a test may change.
pub fn copy(from: &str, to: &Path) -> PathBuf {
    let from = root().join(from);
    let to = to.join(from.file_name().unwrap());
    if from.is_dir() {
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(&from).unwrap() {
            copy(&entry.unwrap().path().to_string_lossy(), &to);
        }
    } else {
        std::fs::copy(&from, &to).unwrap();
    }
    to
}
