//! The README's tour, run as it stands on a real PostgreSQL. `make snapshots` writes what it prints into the README.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::postgres_server::{Version, binaries, target};
use crate::snapshot::{assert_is, isolate, root};
use regex::Regex;
use tenantry::sandbox::Server;

#[test]
fn the_tour_prints_what_the_readme_says() {
    let server = Server::builder().binaries(binaries(Version::Installed)).start().unwrap();
    target(&server.admin_url()).connect_admin().unwrap().batch_execute("CREATE DATABASE app").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut written = String::new();
    let mut in_console = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_console = line == "```console";
        }
        if !in_console || line.starts_with("```") {
            let _ = writeln!(written, "{line}");
        } else if let Some(command) = line.strip_prefix("$ ") {
            let _ = write!(written, "{line}\n{}", normalised(&run(command, &server, dir.path()), &server));
        }
    }
    assert_is(&written, "README.md");
}

/// stdout; of a command that fails stderr too, as a person would see them.
fn run(command: &str, server: &Server, dir: &Path) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    isolate(&mut shell, dir);
    let programs = [Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().unwrap(), server.binaries().dir()];
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path: OsString =
        std::env::join_paths(programs.iter().map(|dir| dir.to_path_buf()).chain(std::env::split_paths(&inherited)))
            .unwrap();
    shell.env("PATH", path).env("PGHOST", "127.0.0.1").env("PGPORT", server.port().to_string());
    shell.env("PGUSER", "postgres").env("PGPASSWORD", server.password()).env("PGDATABASE", "app");
    let output = shell.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { text(output.stdout) } else { text(output.stdout) + &text(output.stderr) }
}

/// Without what differs from run to run and from version to version.
fn normalised(text: &str, server: &Server) -> String {
    let text = text.replace(&server.port().to_string(), "5432").replace(", MAINTAIN", "");
    let text = Regex::new(r"\b\d+ kB").unwrap().replace_all(&text, "32 kB").into_owned();
    let text = Regex::new(r"(?m)\b\d+s$").unwrap().replace_all(&text, "0s").into_owned();
    // psql draws its tables with spaces at the ends of lines, which editors take away.
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
