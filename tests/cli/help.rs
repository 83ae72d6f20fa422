//! What a person reads: help, and the errors most people meet first. `make snapshots` writes tests/snapshots anew.

use std::fs;
use std::path::Path;

use crate::args;
use crate::postgres_server;
use crate::snapshot::{assert_is, tenantry, transcript};
use clap::CommandFactory;
use regex::Regex;

/// Runs it in `dir`, and compares with tests/snapshots/NAME.txt.
#[track_caller]
fn check(name: &str, dir: &Path, args: &[&str]) {
    let mut command = tenantry(dir);
    command.args(args);
    // Numbers of errors differ between systems, ports between runs.
    let text = Regex::new(r"os error \d+").unwrap().replace_all(&transcript(command), "os error N").into_owned();
    let text = Regex::new(r"127\.0\.0\.1:\d{4,}").unwrap().replace_all(&text, "127.0.0.1:PORT").into_owned();
    let text = Regex::new(r"-p \d{4,}").unwrap().replace_all(&text, "-p PORT").into_owned();
    assert_is(&text, &format!("tests/snapshots/{name}.txt"));
}

fn empty() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A directory as `tenantry init` leaves it.
fn initialised() -> tempfile::TempDir {
    let dir = empty();
    assert!(tenantry(dir.path()).arg("init").output().unwrap().status.success());
    dir
}

#[test]
fn help_is_as_documented() {
    let dir = empty();
    check("help", dir.path(), &["--help"]);
    check("help_short", dir.path(), &["-h"]);
    for command in args::Cli::command().get_subcommands() {
        let name = command.get_name();
        check(&format!("help_{name}"), dir.path(), &[name, "-h"]);
    }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_64() {
    let dir = empty();
    check("usage_no_command", dir.path(), &[]);
    check("usage_unknown_command", dir.path(), &["paln"]);
    check("usage_unknown_option", dir.path(), &["plan", "--detailed-exit-code"]);
    check("usage_missing_argument", dir.path(), &["show"]);
    check("usage_bad_format", dir.path(), &["list", "--format", "yaml"]);
}

#[test]
fn init_and_validate_say_what_they_did() {
    let dir = empty();
    check("init", dir.path(), &["init"]);
    check("init_again", dir.path(), &["init"]);
    check("validate", dir.path(), &["validate"]);
    check("validate_json", dir.path(), &["validate", "--format", "json"]);
}

#[test]
fn every_fault_of_a_file_is_shown_at_once() {
    let dir = initialised();
    let faulty = r#"[database]
public_schema = "revoked"

[migrations]
lock_timeout = "soon"

[passwords]
length = 8

[defaults]
connection_limit = -2

[tenants]
acme = { acces = "full" }
Globex = {}
hooli = { schema = "public" }
initech = { password_from = "${INITECH_PASSWORD}", settings = { search_path = "initech" } }
"#;
    fs::write(dir.path().join("tenants.toml"), faulty).unwrap();
    check("config_faults", dir.path(), &["validate"]);
    check("config_faults_json", dir.path(), &["validate", "--format", "json"]);
}

#[test]
fn what_is_not_there_is_named() {
    let dir = initialised();
    check("config_missing", dir.path(), &["plan", "--config", "tenant.toml"]);
    fs::remove_dir_all(dir.path().join("migrations")).unwrap();
    check("migrations_missing", dir.path(), &["validate"]);
}

#[test]
fn migrations_at_fault_are_named_with_their_lines() {
    let dir = initialised();
    fs::write(dir.path().join("migrations/V2_add_index.sql"), "CREATE INDEX ON users (name);\n").unwrap();
    fs::write(dir.path().join("migrations/V3__half.sql"), "CREATE TABLE a ();\nCOMMIT;\n").unwrap();
    check("migrations_faults", dir.path(), &["validate"]);
}

#[test]
fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let dir = initialised();
    check(
        "database_unreachable",
        dir.path(),
        &["plan", "--database-url", "postgresql://admin:hunter2@127.0.0.1:1/app?sslmode=disable"],
    );
    let server = postgres_server::database("help");
    let url = server.url_as("postgres", "wrong");
    let mut command = tenantry(dir.path());
    command.env("TENANTRY_DATABASE_URL", url).arg("plan");
    let text = Regex::new(r"127\.0\.0\.1:\d+/\w+")
        .unwrap()
        .replace_all(&transcript(command), "127.0.0.1:PORT/NAME")
        .into_owned();
    assert_is(&text, "tests/snapshots/database_wrong_password.txt");
}

#[test]
fn apply_without_a_terminal_asks_for_auto_approve() {
    let dir = initialised();
    let server = postgres_server::database("ask");
    let mut command = tenantry(dir.path());
    command.env("TENANTRY_DATABASE_URL", &server.url).args(["apply", "--quiet"]);
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_is(&String::from_utf8(output.stderr).unwrap(), "tests/snapshots/apply_without_terminal.txt");
}

#[test]
fn a_fleet_without_tenants_has_nothing_to_do() {
    let dir = initialised();
    fs::write(dir.path().join("tenants.toml"), "[tenants]\n").unwrap();
    let sandbox = |args: &[&str]| {
        let mut command = tenantry(dir.path());
        command.env("TENANTRY_PG_BINDIR", postgres_server::binaries(postgres_server::Version::Installed).dir());
        command.args(["sandbox", "--quiet"]).args(args);
        transcript(command)
    };
    assert_is(&sandbox(&[]), "tests/snapshots/sandbox_without_tenants.txt");
    let markdown = sandbox(&["--format", "markdown"]);
    assert!(markdown.matches("No changes.").count() == 2, "{markdown}");
}

#[test]
fn quiet_silences_no_finding() {
    let dir = initialised();
    fs::write(dir.path().join("migrations/V2__shared.sql"), "DELETE FROM public.users;\n").unwrap();
    let mut command = tenantry(dir.path());
    command.args(["validate", "--quiet"]);
    let said = transcript(command);
    assert!(said.contains("warning: V2__shared.sql:1"), "{said}");
}
