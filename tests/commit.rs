//! COMMIT whose answer was lost: looked up before anything is said of it.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/postgres.rs"]
mod postgres_server;
#[path = "support/proxy.rs"]
mod proxy;

use std::collections::BTreeSet;

use fleet::{BOTH, Fleet};
use postgres_server::Version;
use proxy::{Line, Loss, Proxy};
use serde_json::Value;

const APPLY: [&str; 6] = ["apply", "-y", "--allow-removals", "9", "--format", "json"];

/// Four tenants, for each kind of change one, and the proxy that the tool goes through. Secrets name the server itself.
fn fleet(version: Version, name: &str) -> (Fleet, Proxy) {
    let mut fleet = Fleet::usual(version, name);
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
        for (loss, name) in [(Loss::Answer, format!("{name}a")), (Loss::Commit, format!("{name}c"))] {
            let (fleet, proxy) = fleet(version, &name);
            // One tenant, so that no other needs a connection.
            fleet.declare(&format!("{name}-old = {{ username = \"{name} renamed\" }}\n{name}-drop = {{}}\n{name}-keep = {{ on_remove = \"retain\" }}"));
            proxy.lose(loss, 1, Line::Closed);
            let report = fleet.run(&APPLY).ends(1).json();
            assert_eq!(with_outcome(&report, "unknown"), [format!("{name}-old")].into(), "{report}");
            assert_eq!(report["summary"]["unknown"], 1);
            assert_eq!(report["summary"]["failed"], 0);
            let hint = report["tenants"][0]["error"]["hint"].as_str().unwrap();
            assert!(hint.contains("apply again finds out"), "{hint}");
            proxy.mend();
            let renamed = fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname = '{name} renamed'"));
            assert_eq!(renamed, if loss == Loss::Answer { "1" } else { "0" });
            let again = fleet.run(&APPLY).ends(0).json();
            assert_eq!(with_outcome(&again, "applied").len(), usize::from(loss == Loss::Commit), "{again}");
            fleet.settled();
        }
    }
}
