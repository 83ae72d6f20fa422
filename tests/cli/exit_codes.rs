//! The command line as people and scripts see it: exit codes, documents, questions, interruptions.
mod documents;
mod interrupted;
mod questions;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server;
use crate::postgres_server::{Version, binaries, database_on};
use tenantry::sandbox::Server;

#[test]
fn exit_codes_are_as_promised() {
    let fleet = Fleet::usual(Version::V18, "codes");
    fleet.declare("ec-one = {}");
    let code = |args: &[&str]| fleet.run(args).code;
    for usage in
        [&["plan", "--no-such-flag"][..], &["frobnicate"], &["apply", "--allow-removals", "many"], &["show"], &[]]
    {
        assert_eq!(code(usage), 64, "{usage:?}");
    }
    assert_eq!(code(&["--help"]), 0);
    assert_eq!(code(&["--version"]), 0);
    assert_eq!(code(&["completions", "bash"]), 0);
    assert_eq!(code(&["man"]), 0);
    assert_eq!(code(&["validate"]), 0);
    assert_eq!(code(&["plan"]), 0);
    assert_eq!(code(&["plan", "--detailed-exitcode"]), 2);
    assert_eq!(code(&["verify"]), 2, "a tenant that is not there yet cannot work");
    assert_eq!(code(&["apply", "-y"]), 0);
    assert_eq!(code(&["plan", "--detailed-exitcode"]), 0);
    assert_eq!(code(&["apply", "-y"]), 0);
    assert_eq!(code(&["verify"]), 0);
    assert_eq!(code(&["list"]), 0);
    assert_eq!(code(&["show", "ec-one"]), 0);
    assert_eq!(code(&["show", "ec-none"]), 1);
    assert_eq!(code(&["verify", "ec-none"]), 1);
    for command in ["plan", "apply", "list", "verify"] {
        assert_eq!(code(&["--database-url", "postgresql://nobody@127.0.0.1:1/x", command, "--color", "never"]), 1);
    }
    assert_eq!(code(&["-c", "elsewhere.toml", "plan", "--detailed-exitcode"]), 1);
    fleet.declare("ec-one = { acces = \"full\", connection_limit = \"many\" }");
    for command in [&["validate"][..], &["plan", "--detailed-exitcode"], &["apply", "-y"]] {
        fleet.run(command).ends(1).says("acces").says("connection_limit").says("tenants.toml");
    }
}

#[test]
fn init_writes_a_project_that_plans() {
    let fleet = Fleet::new(Version::V18, "init");
    std::fs::remove_dir(fleet.path("migrations")).unwrap();
    fleet.run(&["init"]).ends(0);
    let written = std::fs::read_to_string(fleet.path("tenants.toml")).unwrap();
    fleet.run(&["init"]).ends(1).says("nothing was written");
    assert_eq!(std::fs::read_to_string(fleet.path("tenants.toml")).unwrap(), written);
    fleet.run(&["validate"]).ends(0);
    fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("1 to create");
    fleet.applies_and_settles();
}

#[test]
fn apply_asks_and_takes_no_answer_from_a_pipe() {
    let fleet = Fleet::usual(Version::V18, "asks");
    fleet.declare("as-one = {}");
    fleet.run(&["apply"]).ends(1).says("stdin is not a terminal").says("--auto-approve");
    let mut child =
        fleet.command(&["apply"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // The pipe may be closed before the answer is read; that is as good.
    let _ = child.stdin.take().unwrap().write_all(b"yes\n");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry')::text"), "-");
    fleet.run(&["apply", "--auto-approve"]).ends(0);
    fleet.settled();
    // Nothing to do needs no answer.
    fleet.run(&["apply"]).ends(0).says("No changes");
}

#[test]
fn a_second_apply_is_refused_and_told_who_is_at_work() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "lock");
        fleet.declare("lo-one = {}");
        let mut holder = fleet.database.client();
        let key = i64::from_be_bytes(*b"tenantry");
        let year = holder.query_one("SELECT to_char(now(), 'YYYY-MM-DD')", &[]).unwrap().get::<_, String>(0);
        let refused = |fleet: &Fleet| {
            fleet
                .try_apply()
                .ends(1)
                .says("another apply is already running")
                .says("postgres from 127.0.0.1")
                .says("the first apply")
                .says(&format!("since {year}"))
                .says("--lock-timeout 5m");
        };
        // Before there is a registry, and of a version of tenantry that knew no other lock.
        holder
            .batch_execute(&format!("SET application_name = 'the first apply'; SELECT pg_advisory_lock({key})"))
            .unwrap();
        refused(&fleet);
        holder.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
        fleet.applies_and_settles();
        holder.batch_execute(&format!("SELECT pg_advisory_lock({key})")).unwrap();
        refused(&fleet);
        holder.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
        let take = include_str!("../../src/engine/registry/sql/lock_take.sql").replace("{token}", "77");
        holder.batch_execute(&format!("SELECT pg_advisory_lock(77); {take}")).unwrap();
        refused(&fleet);
        fleet.run(&["plan"]).ends(0);
        // A lock of another database's is none of ours.
        let other = Fleet::usual(version, "free");
        other.declare("free-one = {}");
        other.applies_and_settles();
        // Whoever waits gets it.
        fleet.declare("lo-one = { connection_limit = 5 }");
        let waiting = fleet.command(&["apply", "-y", "--lock-timeout", "2m"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        drop(holder);
        assert!(waiting.wait_with_output().unwrap().status.success());
        fleet.settled();
    }
}

#[test]
fn targets_limit_what_is_done() {
    let fleet = Fleet::usual(Version::V18, "targets");
    fleet.declare("ta-one = {}\nta-two = {}\ntb-one = {}");
    fleet.run(&["apply", "-y", "--target", "ta-*", "--target", "ta-one"]).ends(0);
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants ORDER BY 1"), "ta-one; ta-two");
    fleet.run(&["plan", "--detailed-exitcode", "--target", "ta-*"]).ends(0);
    fleet.run(&["plan", "--detailed-exitcode", "--target", "tb-*"]).ends(2);
    fleet.run(&["verify", "--target", "ta-*"]).ends(0).says("2 tenants");
    assert_eq!(fleet.run(&["list", "--target", "*-one", "--format", "json"]).json().as_array().unwrap().len(), 2);
    fleet.run(&["plan", "--target", "["]).ends(1).says("not a valid glob");
    fleet.declare("ta-two = {}");
    fleet.run(&["apply", "-y", "--target", "t*-two"]).ends(0);
    assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants"), "2");
    fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
    fleet.settled();
}

#[test]
fn quiet_is_quiet_and_colour_is_for_terminals() {
    let mut fleet = Fleet::usual(Version::V18, "quiet");
    fleet.declare("qu-one = {}");
    for args in [&["plan"][..], &["--format", "markdown", "plan"]] {
        assert!(!fleet.run(args).stdout.contains('\x1b'));
    }
    assert!(fleet.run(&["plan", "--color", "always"]).stdout.contains('\x1b'));
    fleet.env.insert("NO_COLOR".into(), "1".into());
    assert!(!fleet.run(&["plan"]).stdout.contains('\x1b'));
    assert!(!fleet.run(&["apply"]).stderr.contains('\x1b'));
    let run = fleet.run(&["apply", "-y", "-q"]).ends(0);
    assert_eq!(run.stderr, "");
    let run = fleet.run(&["verify", "-q"]).ends(0);
    assert_eq!(run.stderr, "");
    fleet.run(&["plan", "-q", "--detailed-exitcode"]).ends(0);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let fleet = Fleet::usual(Version::V18, "pipe");
    fleet.declare(&(0..400).map(|n| format!("pi-{n} = {{}}\n")).collect::<String>());
    for args in [&["plan", "-v"][..], &["plan", "--format", "json"], &["list"]] {
        let mut child = fleet.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        assert!(!line.is_empty() && !stderr.contains("panicked") && !stderr.contains("error"), "{args:?}: {stderr}");
        assert!(status.success(), "{args:?}: {status}");
    }
}

fn interrupt(id: u32) {
    assert!(Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &id.to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_apply_finishes_what_it_began_and_the_next_goes_on() {
    for (version, name) in [(Version::Installed, "in15"), (Version::V18, "in18")] {
        let fleet = Fleet::usual(version, name);
        // Slow enough to be met in the middle.
        fleet.migration("V3__slow.sql", "SELECT pg_sleep(0.05);");
        fleet.declare(&(0..40).map(|n| format!("{name}-{n} = {{}}\n")).collect::<String>());
        let mut command = fleet.command(&["apply", "-y", "--parallelism", "2", "--format", "json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^tenant_'").parse::<i32>().unwrap() < 3 {
            assert!(begun.elapsed() < Duration::from_secs(60));
            sleep(Duration::from_millis(5));
        }
        interrupt(child.id());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let (applied, skipped) =
            (report["summary"]["applied"].as_u64().unwrap(), report["summary"]["skipped"].as_u64().unwrap());
        assert!(applied >= 3 && skipped > 0 && applied + skipped == 40, "{report}");
        let counts = format!(
            "SELECT (SELECT count(*) FROM tenantry.tenants), (SELECT count(*) FROM pg_namespace WHERE nspname ~ '^tenant_'), \
             (SELECT count(*) FROM pg_roles WHERE rolname ~ '^{name}_.*_user$'), (SELECT count(*) FROM pg_roles WHERE rolname ~ '^{name}_.*_owner$')"
        );
        assert_eq!(fleet.ask(&counts), format!("{applied}, {applied}, {applied}, {applied}"));
        let secrets = std::fs::read_dir(fleet.secret_file("x").parent().unwrap()).unwrap().count();
        assert_eq!(secrets as u64, applied);
        fleet.applies_and_settles();
    }
}

#[test]
fn a_killed_apply_leaves_nothing_that_the_next_does_not_mend() {
    for (version, name) in [(Version::Installed, "ki15"), (Version::V18, "ki18")] {
        let fleet = Fleet::usual(version, name);
        fleet.declare(&(0..30).map(|n| format!("{name}-{n} = {{}}\n")).collect::<String>());
        for enough in [2, 8, 15] {
            let mut command = fleet.command(&["apply", "-y", "-q", "--parallelism", "4"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let begun = Instant::now();
            while fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^tenant_'").parse::<i32>().unwrap()
                < enough
            {
                assert!(begun.elapsed() < Duration::from_secs(60));
                sleep(Duration::from_millis(3));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            // The server notices that its client is gone in a moment.
            sleep(Duration::from_millis(300));
            assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace n WHERE nspname ~ '^tenant_' AND NOT EXISTS (SELECT FROM tenantry.tenants WHERE schema_name = nspname)"), "0");
        }
        fleet.applies_and_settles();
    }
}

/// A server of its own, where nothing else happens.
fn alone(version: Version) -> Arc<Server> {
    let server = Server::builder().binaries(binaries(version)).setting("autovacuum", "off").start().unwrap();
    Arc::new(server)
}

#[test]
fn what_only_looks_changes_nothing() {
    for version in BOTH {
        let fleet = Fleet::on(database_on(alone(version), "looks"));
        fleet.migration("V1__t.sql", "CREATE TABLE t (id int);");
        fleet.declare("pl-one = {}\npl-two = {}\npl-three = {}");
        let next_xid = || fleet.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())::text");
        let looks = |expected: i32| {
            let before = next_xid();
            fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(expected);
            fleet.run(&["list"]).ends(0);
            fleet.run(&["show", "pl-one"]).ends(0);
            fleet.run(&["validate"]).ends(0);
            assert_eq!(next_xid(), before, "no transaction wrote anything");
        };
        looks(2);
        assert!(!fleet.path(".tenantry").exists());
        fleet.applies_and_settles();
        looks(0);
        fleet.declare(
            "pl-one = { schema = \"renamed\", access = \"owner\" }\npl-two = { connection_limit = 2 }\npl-four = {}",
        );
        looks(2);
        let dump = || {
            let mut command = Command::new(postgres_server::client_program("pg_dump"));
            // Newer pg_dumps write \restrict with a random key, which is left out below.
            let output = command.args(["--dbname", &fleet.url]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            let text = String::from_utf8(output.stdout).unwrap();
            text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
        };
        let before = dump();
        fleet.run(&["verify"]);
        looks(2);
        assert_eq!(dump(), before, "verify rolls back what it tries");
    }
}
