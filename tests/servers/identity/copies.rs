//! A physical copy has the original's system identifier, registry and passwords. What it may not have is its secrets.

use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tenantry::sandbox::Server;

use super::REMOVE;
use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::{TestDatabase, Version, binaries, client_program, database_on};

/// Servers of a test's own.
fn alone(version: Version) -> Server {
    Server::builder().binaries(binaries(version)).start().unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A base backup of the server, started by itself.
fn copy_of(original: &Server, version: Version) -> Arc<Server> {
    let mut copy = alone(version);
    copy.stop().unwrap();
    let data = copy.dir().join("pg/data");
    let (backup, url) = (copy.dir().join("backup"), format!("--dbname={}", original.admin_url()));
    run(Command::new(client_program("pg_basebackup")).arg(url).args(["--checkpoint=fast", "--pgdata"]).arg(&backup));
    run(Command::new("chown").arg("-R").arg(format!("--reference={}", data.display())).arg(&backup));
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&backup, &data).unwrap();
    copy.start_again().unwrap();
    Arc::new(copy)
}

struct Copied {
    fleet: Fleet,
    original: TestDatabase,
    copy: TestDatabase,
}

impl Copied {
    /// `head`: of tenants.toml. The tenants are applied to the original, and then it is copied.
    fn of(version: Version, prefix: &str, head: &str) -> Self {
        let original: Arc<Server> = Arc::new(alone(version));
        let mut fleet = Fleet::usual_on(crate::fleet::Admin::Superuser, database_on(original.clone(), prefix));
        fleet.head = format!("{head}[defaults]\non_remove = \"drop\"\n");
        fleet.declare(&two(prefix));
        fleet.apply();
        let copy = copy_of(&original, version);
        let name = fleet.database.name.clone();
        // With the original's password.
        let url = copy.url(&name, "postgres", original.password());
        let at = |url: &str, server| TestDatabase { name: name.clone(), url: url.to_owned(), server };
        Self { original: at(&fleet.url, original), copy: at(&url, copy), fleet }
    }

    fn on_the_copy(&mut self) -> &mut Fleet {
        self.fleet.url = self.copy.url.clone();
        &mut self.fleet
    }

    fn on_the_original(&mut self) -> &mut Fleet {
        self.fleet.url = self.original.url.clone();
        &mut self.fleet
    }
}

fn two(prefix: &str) -> String {
    format!("{prefix}-one = {{}}\n{prefix}-two = {{}}")
}

fn secrets(fleet: &Fleet, prefix: &str) -> [Value; 2] {
    ["one", "two"].map(|tenant| fleet.secret(&format!("{prefix}-{tenant}")))
}

/// What is delivered, whoever's it is marked as.
fn passwords(fleet: &Fleet, prefix: &str) -> Vec<Value> {
    secrets(fleet, prefix).iter().map(|secret| secret["password"].clone()).collect()
}

#[track_caller]
fn logs_in(at: &TestDatabase, secret: &Value) -> bool {
    let word = |key: &str| secret[key].as_str().unwrap();
    let url = at.server.url(&at.name, word("username"), word("password"));
    postgres::Client::connect(&url, postgres::NoTls).is_ok()
}

const ADVERTISED: &str = "[database]\nadvertise = { host = \"db.internal\", port = 5432 }\n";

#[test]
fn a_copy_at_another_address_takes_no_secret() {
    for version in BOTH {
        // With advertise the secrets name no address of ours; the copy is told by its own.
        for (head, words) in [("", "name another address than"), (ADVERTISED, "it may be a copy")] {
            let mut copied = Copied::of(version, "ca", head);
            let before = secrets(&copied.fleet, "ca");
            let fleet = copied.on_the_copy();
            fleet.run(&["plan"]).ends(0);
            fleet.run(&["rotate", "-y", "--all"]).ends(1).says(words).says("nothing was changed").says("apply --moved");
            fleet.declare("ca-one = {}\nca-two = { username = \"ca-other\" }");
            fleet.run(&["plan"]).ends(0).says("another_address");
            fleet.run(&["apply", "-y"]).ends(1).says(words);
            fleet.declare("ca-one = {}");
            fleet.run(&REMOVE).ends(1).says(words);
            fleet.declare("ca-one = {}\nca-two = {}\nca-new = {}");
            fleet.run(&["apply", "-y"]).ends(1).says(words);
            assert!(!fleet.secret_file("ca-new").exists());
            assert_eq!(secrets(fleet, "ca"), before);
            if head == ADVERTISED {
                // What changes no secret is applied; that makes the copy no original.
                fleet.declare("ca-one = { connection_limit = 9 }\nca-two = {}");
                fleet.run(&["apply", "-y"]).ends(0);
                fleet.run(&["rotate", "-y", "ca-one"]).ends(1).says(words);
            }
            fleet.declare(&two("ca"));
            let fleet = copied.on_the_original();
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
            fleet.run(&["rotate", "-y", "ca-one"]).ends(0);
            assert!(logs_in(&copied.original, &copied.fleet.secret("ca-one")));
        }
    }
}

/// Reached as the original was, say through a tunnel, a copy looks the same at first. Whoever comes second finds out.
#[test]
fn a_copy_that_ran_on_is_told_by_the_secrets_it_wrote() {
    for version in BOTH {
        let mut copied = Copied::of(version, "cr", ADVERTISED);
        // Stands for the same address.
        copied.copy.execute("UPDATE tenantry.identity SET reached = '{}'");
        let fleet = copied.on_the_copy();
        fleet.run(&["rotate", "-y", "cr-one"]).ends(0);
        let taken = secrets(fleet, "cr");
        let fleet = copied.on_the_original();
        fleet.run(&["drift"]).ends(2).says("another_copy").says("tenants/cr-one").says("apply --moved");
        for args in [&["rotate", "-y", "cr-two"][..], &["rotate", "-y", "--all"]] {
            fleet.run(args).ends(1).says("a run that this registry does not know");
        }
        // The password of record still opens the database; that changes no secret, and ends no doubt.
        fleet.run(&["apply", "-y"]).ends(0);
        assert!(logs_in(&copied.original, &copied.fleet.secret("cr-one")));
        let fleet = copied.on_the_original();
        fleet.run(&["drift"]).ends(2).says("another_copy");
        fleet.run(&["apply", "-y", "--target", "cr-two", "--moved"]).ends(1).says("takes no --target");
        assert_eq!(secrets(fleet, "cr"), taken);
        // Said to be the one, the original has the secrets again, each of them marked.
        fleet.run(&["plan", "--moved"]).ends(0).says("another fleet, and");
        fleet.run(&["apply", "-y", "--moved"]).ends(0);
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        let own: Vec<Value> = secrets(fleet, "cr").iter().map(|secret| secret["fleet"].clone()).collect();
        let known = Value::from(fleet.ask("SELECT fleet FROM tenantry.identity"));
        assert_eq!(own, [known.clone(), known]);
        assert_eq!(passwords(fleet, "cr"), taken.iter().map(|secret| secret["password"].clone()).collect::<Vec<_>>());
        for secret in secrets(fleet, "cr") {
            assert!(logs_in(&copied.original, &secret));
        }
        // And the copy is refused from then on, whatever it does.
        let before = secrets(&copied.fleet, "cr");
        let fleet = copied.on_the_copy();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("is another database's: it carries the fleet");
        fleet.run(&["rotate", "-y", "--all"]).ends(1).says("2 blocked");
        fleet.declare("cr-one = {}");
        fleet.run(&REMOVE).ends(1).says("is another database's").says("remove the tenant there").says("apply --moved");
        assert_eq!(secrets(fleet, "cr"), before);
        assert_eq!(copied.copy_schemas(), "tenant_cr_one; tenant_cr_two");
    }
}

impl Copied {
    fn copy_schemas(&self) -> String {
        let mut client = self.copy.target().connect_admin().unwrap();
        ask(&mut client, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant\\_%' ORDER BY 1")
    }
}

/// An original that moved is refused as soon as the database it became has its secrets.
#[test]
fn the_database_that_moved_has_the_secrets_and_the_one_it_came_from_is_refused() {
    for version in BOTH {
        let mut copied = Copied::of(version, "cm", "");
        let before = passwords(&copied.fleet, "cm");
        let marked_before = copied.fleet.secret("cm-two");
        let fleet = copied.on_the_copy();
        fleet.run(&["plan", "--moved", "--out", "moved.json"]).ends(0).says("another fleet, and").says("saved");
        fleet.run(&["apply", "-y", "moved.json"]).ends(1).says("saved with --moved");
        fleet.run(&["plan", "--out", "stayed.json"]).ends(0);
        fleet.run(&["apply", "-y", "--moved", "stayed.json"]).ends(1).says("saved without --moved");
        fleet.run(&["apply", "-y", "stayed.json"]).ends(1).says("name another address than");
        fleet.run(&["apply", "-y", "--moved", "moved.json"]).ends(0);
        assert_eq!(passwords(fleet, "cm"), before);
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in("cm-one"), "SELECT current_schema()"), "tenant_cm_one");
        // Cut off before it had marked the second, it goes on: with or without the flag.
        let path = fleet.secret_file("cm-two");
        let whole: Value = fleet.secret("cm-two");
        let mut half = whole.clone();
        for key in ["fleet", "fleet_run", "fleet_cluster"] {
            half[key] = marked_before[key].clone();
        }
        std::fs::write(&path, half.to_string()).unwrap();
        fleet.run(&["drift"]).ends(2).says("1 secret marked as this database's");
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("cm-two")["fleet"], whole["fleet"]);
        assert_eq!(fleet.secret("cm-two")["version"], whole["version"]);
        let after = secrets(&copied.fleet, "cm");
        let fleet = copied.on_the_original();
        fleet.run(&["rotate", "-y", "--all"]).ends(1).says("2 blocked").says("is another database's");
        fleet.run(&["apply", "-y"]).ends(1).says("is another database's");
        // Nor does it remove anybody, in whatever way.
        for on_remove in ["drop", "archive", "retain"] {
            fleet.head = format!("[defaults]\non_remove = \"{on_remove}\"\n");
            fleet.declare("cm-one = {}");
            fleet.run(&["plan"]).ends(0).says("blocked").says("remove the tenant there");
            fleet.run(&REMOVE).ends(1).says("is another database's").says("apply --moved");
        }
        assert_eq!(secrets(fleet, "cm"), after);
        let there = "SELECT count(*), bool_and(rolcanlogin) FROM pg_roles WHERE rolname = 'cm_two_user'";
        assert_eq!(ask(&mut copied.original.client(), there), "1, t");
        // One whose secret is simply gone is removed as ever.
        let fleet = copied.on_the_original();
        std::fs::remove_file(fleet.secret_file("cm-two")).unwrap();
        fleet.run(&REMOVE).ends(1);
        assert_eq!(ask(&mut copied.original.client(), "SELECT to_regnamespace('tenant_cm_two') IS NULL"), "t");
    }
}

/// With the original's names and members of its group role, and its secrets: only the address is another.
#[test]
fn a_copy_whose_registry_is_lost_does_not_take_the_identity_of_the_secrets() {
    for version in BOTH {
        for (head, taken) in [("", false), (ADVERTISED, true)] {
            let mut copied = Copied::of(version, "cy", head);
            let before = secrets(&copied.fleet, "cy");
            let fleet = copied.on_the_copy();
            let mut client = postgres::Client::connect(&fleet.url, postgres::NoTls).unwrap();
            client.batch_execute("DROP SCHEMA tenantry CASCADE").unwrap();
            let recovered = fleet.run(&["recover"]).ends(0);
            for text in [&recovered.stdout, &recovered.stderr] {
                assert_eq!(text.contains("it may be a copy"), !taken, "{text}");
                assert_eq!(text.contains("the secrets of cy-one, cy-two name "), !taken, "{text}");
            }
            client.batch_execute(&recovered.stdout).unwrap();
            let fleet_of = ask(&mut client, "SELECT fleet FROM tenantry.identity");
            assert_eq!(before[0]["fleet"] == fleet_of, taken);
            if !taken {
                fleet.run(&["rotate", "-y", "--all"]).ends(1).says("2 blocked").says("is another database's");
                fleet.run(&["apply", "-y"]).ends(1).says("apply --moved");
                fleet.declare("cy-one = {}");
                fleet.run(&REMOVE).ends(1).says("is another database's");
                fleet.declare(&two("cy"));
                assert_eq!(secrets(fleet, "cy"), before);
                fleet.run(&["apply", "-y", "--moved"]).ends(0);
                fleet.settled();
                assert_eq!(passwords(fleet, "cy"), before.map(|secret| secret["password"].clone()));
            }
        }
    }
}

/// A tunnel to a server where nothing was ever applied, with the secrets of another.
#[test]
fn a_fresh_database_at_the_address_of_another_takes_none_of_its_passwords() {
    for version in BOTH {
        let original: Arc<Server> = Arc::new(alone(version));
        let fresh: Arc<Server> = Arc::new(alone(version));
        let mut fleet = Fleet::usual_on(crate::fleet::Admin::Superuser, database_on(original, "cf"));
        fleet.head = format!("{ADVERTISED}[defaults]\non_remove = \"drop\"\n");
        fleet.declare(&two("cf"));
        fleet.apply();
        let before = secrets(&fleet, "cf");
        let name = fleet.database.name.clone();
        let url = fresh.url(&name, "postgres", fresh.password());
        let mut client = postgres::Client::connect(&fresh.admin_url(), postgres::NoTls).unwrap();
        client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        fleet.url = url.clone();
        fleet.database = TestDatabase { name, url, server: fresh };
        fleet.run(&["apply", "-y"]).ends(1).says("2 blocked").says("is another database's").says("apply --moved");
        assert_eq!(secrets(&fleet, "cf"), before);
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'cf%'"), "0");
        // The other one is lost for good, and this one is to take its place.
        fleet.run(&["apply", "-y", "--moved"]).ends(0).says("2 applied");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        assert_eq!(passwords(&fleet, "cf"), before.iter().map(|secret| secret["password"].clone()).collect::<Vec<_>>());
    }
}

/// A tunnel to the right server.
#[test]
fn a_run_through_a_tunnel_leads_no_tenant_into_it() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "ct");
        fleet.declare(&two("ct"));
        fleet.applies_and_settles();
        let (direct, before) = (fleet.url.clone(), secrets(&fleet, "ct"));
        fleet.url = direct.replace("127.0.0.1", "localhost");
        fleet.run(&["apply", "-y"]).ends(1).says("name another address than localhost:").says("[database] advertise");
        fleet.run(&["rotate", "-y", "ct-one"]).ends(1).says("name another address than localhost:");
        assert_eq!(secrets(&fleet, "ct"), before);
        // What tenants.toml says is meant, and the server is the one of the last apply.
        fleet.head = format!(
            "[database]\nadvertise = {{ host = \"127.0.0.1\", port = {} }}\n{}",
            fleet.database.server.port(),
            fleet.head
        );
        fleet.declare(&two("ct"));
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        fleet.run(&["rotate", "-y", "ct-one"]).ends(0);
        fleet.settled();
        fleet.url = direct;
        fleet.settled();
        assert_eq!(
            fleet.ask("SELECT cardinality(reached), reached[1] LIKE '127.0.0.1:%' FROM tenantry.identity"),
            "1, t"
        );
    }
}

/// As a version that knew of no fleets left them.
#[test]
fn secrets_without_a_mark_are_marked_and_stay_as_they_are() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "cl");
        fleet.declare(&two("cl"));
        fleet.applies_and_settles();
        let before = secrets(&fleet, "cl");
        fleet.unmark(&["cl-one", "cl-two"]);
        fleet.run(&["drift"]).ends(2).says("pending upgrades: 7").says("2 secrets marked as this database's");
        fleet.run(&["apply", "-y", "--target", "cl-one"]).ends(0);
        fleet.run(&["drift", "--target", "cl-one"]).ends(0);
        fleet.run(&["drift"]).ends(2).says("1 secret marked as this database's");
        fleet.applies_and_settles();
        for (before, after) in before.iter().zip(secrets(&fleet, "cl")) {
            for key in ["password", "version", "url"] {
                assert_eq!(after[key], before[key]);
            }
            assert_eq!(after["fleet"], fleet.ask("SELECT fleet FROM tenantry.identity"));
        }
    }
}

#[test]
fn a_store_without_the_secrets_is_taken_for_another_one() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "ce");
        fleet.declare("ce-one = {}\nce-two = {}\nce-three = {}");
        fleet.applies_and_settles();
        let lose = |fleet: &Fleet, tenants: &[&str]| {
            tenants.iter().for_each(|tenant| std::fs::remove_file(fleet.secret_file(tenant)).unwrap());
        };
        // One is lost now and then.
        lose(&fleet, &["ce-one"]);
        fleet.applies_and_settles();
        lose(&fleet, &["ce-one", "ce-two"]);
        let verifiers = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'ce%' ORDER BY 1";
        let before = fleet.ask(verifiers);
        let words = "the secrets of 2 of 3 tenants are gone from the store (ce-one, ce-two)";
        fleet.run(&["plan"]).ends(0).says("secrets_missing").says(words);
        for args in [&["apply", "-y"][..], &["rotate", "-y", "--all"], &["apply", "-y", "--allow-new-secrets", "1"]] {
            fleet.run(args).ends(1).says(words).says("tenants/ce-one").says("--allow-new-secrets 2");
        }
        assert_eq!(fleet.ask(verifiers), before);
        // One tenant tells nothing about the store: not a target, nor one that is new.
        fleet.run(&["plan", "--target", "ce-one"]).ends(0).says("secrets_missing").says(words);
        for args in [&["apply", "-y", "--target", "ce-one"][..], &["rotate", "-y", "ce-one"]] {
            fleet.run(args).ends(1).says(words).says("--allow-new-secrets 2");
        }
        fleet.declare("ce-one = {}\nce-two = {}\nce-three = {}\nce-four = {}");
        fleet.run(&["apply", "-y", "--target", "ce-four"]).ends(1).says(words).says("--allow-new-secrets 2");
        fleet.declare("ce-one = {}\nce-two = {}\nce-three = {}");
        assert_eq!(fleet.ask(verifiers), before);
        fleet.run(&["rotate", "-y", "ce-three"]).ends(0);
        fleet.run(&["apply", "-y", "--target", "ce-one", "--allow-new-secrets", "2"]).ends(0);
        fleet.applies_and_settles();
        lose(&fleet, &["ce-one", "ce-two"]);
        fleet.run(&["apply", "-y", "--allow-new-secrets", "2"]).ends(0);
        fleet.settled();
        fleet.head.push_str("[secrets]\nmax_missing = \"100%\"\n");
        fleet.declare("ce-one = {}\nce-two = {}\nce-three = {}");
        lose(&fleet, &["ce-one", "ce-two", "ce-three"]);
        fleet.applies_and_settles();
        // A directory that is another by mistake, and one that says so.
        fleet.head = fleet.head.replace("max_missing = \"100%\"", "max_missing = 0\ndir = \"elsewhere\"");
        fleet.declare("ce-one = {}\nce-two = {}\nce-three = {}");
        fleet.run(&["apply", "-y"]).ends(1).says("the secrets of 3 of 3 tenants are gone from the store");
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}
