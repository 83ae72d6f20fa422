//! COMMIT whose answer was lost: looked up before anything is said of it.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::{Version, binaries, database_on};
use crate::proxy::{Line, Loss, Proxy};
use serde_json::Value;
use tenantry::sandbox::Server;

const APPLY: [&str; 6] = ["apply", "-y", "--allow-removals", "9", "--format", "json"];

/// Three tenants, and the proxy that the tool goes through. Secrets name the server itself.
fn fleet(version: Version, name: &str) -> (Fleet, Proxy) {
    behind_a_proxy(Fleet::usual(version, name), name)
}

fn behind_a_proxy(mut fleet: Fleet, name: &str) -> (Fleet, Proxy) {
    let port = fleet.database.server.port();
    let proxy = Proxy::before(port);
    fleet.url = fleet.url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    fleet.head = format!("[database]\nadvertise = {{ host = \"127.0.0.1\", port = {port} }}\n{}", fleet.head);
    fleet.declare(&format!("{name}-old = {{}}\n{name}-drop = {{}}\n{name}-keep = {{ on_remove = \"retain\" }}"));
    fleet.applies_and_settles();
    (fleet, proxy)
}

/// One created, one renamed, one dropped, one retained, and a migration for after COMMIT.
fn change(fleet: &Fleet, name: &str) -> BTreeSet<String> {
    fleet.migration("V3__late.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY late ON users (email);\n");
    fleet.declare(&format!("{name}-old = {{ username = \"{name} renamed\" }}\n{name}-new = {{}}"));
    ["old", "drop", "keep", "new"].map(|tenant| format!("{name}-{tenant}")).into()
}

/// The tenants by what the report says of them.
fn with_outcome(report: &Value, outcome: &str) -> BTreeSet<String> {
    let tenants = report["tenants"].as_array().unwrap().iter();
    tenants.filter(|t| t["outcome"] == outcome).map(|t| t["tenant"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_committed_is_applied_though_nobody_heard_of_it() {
    for (version, name) in BOTH.into_iter().zip(["co15", "co18"]) {
        let (fleet, proxy) = fleet(version, name);
        let all = change(&fleet, name);
        proxy.lose(Loss::Answer, 4, Line::Open);
        let report = fleet.run(&APPLY).ends(0).json();
        assert_eq!(with_outcome(&report, "applied"), all, "{report}");
        assert!(proxy.commits() >= 4);
        // What comes after COMMIT was done as well, on the connection that asked.
        assert!(!fleet.secret_file(&format!("{name}-drop")).exists());
        assert_eq!(
            fleet.ask("SELECT tenant, state FROM tenantry.tenants WHERE state <> 'active'"),
            format!("{name}-keep, retained")
        );
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_class WHERE relname = 'late'"), "2");
        fleet.settled();
    }
}

#[test]
fn what_was_not_committed_has_failed_and_its_secret_is_as_before() {
    for (version, name) in BOTH.into_iter().zip(["nc15", "nc18"]) {
        let (fleet, proxy) = fleet(version, name);
        let before = fleet.secret(&format!("{name}-old"));
        let all = change(&fleet, name);
        proxy.lose(Loss::Commit, 4, Line::Open);
        let report = fleet.run(&APPLY).ends(1).json();
        assert_eq!(with_outcome(&report, "failed"), all, "{report}");
        fleet.assert_no_trace_of(&format!("{name}-new"));
        let after = fleet.secret(&format!("{name}-old"));
        assert_eq!(after["url"], before["url"]);
        // Nobody is left without a login: neither who was to be changed, nor who was to be removed.
        for tenant in ["old", "drop", "keep"] {
            fleet.log_in(&format!("{name}-{tenant}")).batch_execute("SELECT count(*) FROM users").unwrap();
        }
        fleet.run(&APPLY).ends(0);
        fleet.settled();
    }
}

#[test]
fn what_cannot_be_looked_up_is_unknown_and_the_next_apply_converges() {
    for (version, name) in BOTH.into_iter().zip(["un15", "un18"]) {
        // It takes apply half a minute to give up.
        std::thread::scope(|scope| {
            for (loss, name) in [(Loss::Answer, format!("{name}a")), (Loss::Commit, format!("{name}c"))] {
                scope.spawn(move || is_unknown(version, &name, loss));
            }
        });
    }
}

fn is_unknown(version: Version, name: &str, loss: Loss) {
    let (fleet, proxy) = fleet(version, name);
    // One tenant, so that no other needs a connection.
    fleet.declare(&format!("{name}-old = {{ username = \"{name} renamed\" }}\n{name}-drop = {{}}\n{name}-keep = {{ on_remove = \"retain\" }}"));
    proxy.lose(loss, 1, Line::Closed);
    let report = fleet.run(&APPLY).ends(1).json();
    assert_eq!(with_outcome(&report, "unknown"), [format!("{name}-old")].into(), "{report}");
    assert_eq!(report["summary"]["unknown"], 1);
    assert_eq!(report["summary"]["failed"], 0);
    let hint = report["tenants"][0]["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("the next apply finds out"), "{hint}");
    proxy.mend();
    // A COMMIT that nobody waits for any more is carried out all the same, in its own time.
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenantry' \
                   AND datname = current_database() AND pid <> pg_backend_pid()";
    wait(|| fleet.ask(at_work) == "0");
    let renamed = fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name} renamed'"));
    assert_eq!(renamed, if loss == Loss::Answer { "1" } else { "0" });
    let again = fleet.run(&APPLY).ends(0).json();
    assert_eq!(with_outcome(&again, "applied").len(), usize::from(loss == Loss::Commit), "{again}");
    fleet.settled();
}

/// Before it starts all over PostgreSQL syncs every file it has, which takes a busy disk its time.
fn wait(mut until: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(300));
        sleep(Duration::from_millis(5));
    }
}

/// A fleet on a server that crashes while it holds the COMMIT of a tenant's transaction. `meanwhile` is done when the
/// server is there again, with the number that the transaction had; then the line is mended.
fn crashed_at_commit(version: Version, name: &str, meanwhile: impl Fn(&mut postgres::Client, &str)) {
    // Nothing but a COMMIT writes the log to the disk. A login that a stalled line holds up, the crash waits for.
    let server = Server::builder().binaries(binaries(version)).durable().setting("autovacuum", "off");
    let server = server.setting("wal_writer_delay", "10s").setting("wal_writer_flush_after", "1GB");
    let server = server.setting("authentication_timeout", "1s");
    let fleet = Fleet::on(database_on(server.start().unwrap(), name));
    fleet.migration("V1__users.sql", "CREATE TABLE users (id int);\n");
    let (fleet, proxy) = behind_a_proxy(fleet, name);
    let before = fleet.secret(&format!("{name}-old"));
    proxy.lose(Loss::Held, 1, Line::Stalled);
    fleet.declare(&format!("{name}-old = {{ username = \"{name} renamed\" }}\n{name}-drop = {{}}\n{name}-keep = {{ on_remove = \"retain\" }}"));
    let apply = fleet.command(&APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let seen = proxy.commits();
    wait(|| proxy.commits() > seen);
    let at_work = fleet.ask(
        "SELECT pid, backend_xid FROM pg_stat_activity WHERE application_name = 'tenantry' AND backend_xid IS NOT NULL",
    );
    let (pid, xid) = at_work.split_once(", ").unwrap();
    // One backend that is killed makes PostgreSQL start all over, as after a power cut.
    assert!(Command::new("sh").args(["-c", "kill -9 \"$1\"", "sh", pid]).status().unwrap().success());
    let gone = format!("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = {pid})");
    let is_gone = |client: &mut postgres::Client| client.query_one(&gone, &[]).is_ok_and(|row| row.get(0));
    let mut client = None;
    wait(|| {
        client = postgres::Client::connect(&fleet.database.url, postgres::NoTls).ok();
        client.as_mut().is_some_and(is_gone)
    });
    meanwhile(&mut client.unwrap(), xid);
    proxy.mend();
    let output = apply.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(with_outcome(&report, "failed"), [format!("{name}-old")].into(), "{report}");
    assert_eq!(fleet.secret(&format!("{name}-old"))["url"], before["url"]);
    fleet.log_in(&format!("{name}-old"));
    fleet.run(&APPLY).ends(0);
    fleet.settled();
}

/// A number that a crash kept from being written down is given to somebody else's transaction, and that one is committed.
#[test]
fn a_transaction_is_not_taken_for_another_that_got_its_number() {
    for (version, name) in BOTH.into_iter().zip(["xi15", "xi18"]) {
        crashed_at_commit(version, name, |client, xid| {
            let wanted: u64 = xid.parse().unwrap();
            let mut given = 0;
            while given < wanted {
                given = ask(client, "SELECT pg_current_xact_id()").parse().unwrap();
            }
            assert_eq!(given, wanted, "the number was written down after all: this proves nothing");
            assert_eq!(ask(client, &format!("SELECT pg_xact_status('{xid}')")), "committed");
        });
    }
}

#[test]
fn a_transaction_whose_number_nobody_has_since_a_crash_has_failed() {
    for (version, name) in BOTH.into_iter().zip(["fu15", "fu18"]) {
        crashed_at_commit(version, name, |client, xid| {
            let error = client.execute(&format!("SELECT pg_xact_status('{xid}')"), &[]).unwrap_err();
            assert!(error.as_db_error().unwrap().message().contains("in the future"), "{error:?}");
        });
    }
}

/// A pooler without a server, or a process that is stopped: the connection is open, and nothing comes.
#[test]
fn who_waits_for_a_server_that_says_nothing_is_told_so() {
    let mut fleet = Fleet::usual(Version::V18, "silent");
    let port = fleet.database.server.port();
    let [admins, tenants] = [Proxy::before(port), Proxy::before(port)];
    fleet.url = fleet.url.replace(&format!(":{port}/"), &format!(":{}/", admins.port));
    let advertise = format!("[database]\nadvertise = {{ host = \"127.0.0.1\", port = {} }}\n", tenants.port);
    fleet.head.insert_str(0, &advertise);
    fleet.declare("si-one = {}");
    fleet.applies_and_settles();
    let told = |proxy: &Proxy, line, args: &[&str], words: &str| {
        proxy.line(line);
        let mut child = fleet.command(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(words)), "{words}");
        child.kill().unwrap();
        child.wait().unwrap();
        proxy.line(Line::Open);
    };
    // The login has a limit of its own; what comes after it has none.
    told(&tenants, Line::Slow(Duration::from_millis(500)), &["verify"], "verify si-one: 10 s so far");
    let words = format!("connecting to {} on 127.0.0.1, port {}: 10 s so far", fleet.database.name, admins.port);
    told(&admins, Line::Stalled, &["verify"], &words);
}
