//! A new password, in PostgreSQL and in the secret store, and nothing else.

mod two_user;

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::fleet;
use crate::fleet::{Admin, BOTH, Fleet, ask};
use crate::openbao::OpenBao;
use serde_json::json;

/// Its password opened the database until now.
fn logs_in_no_more(secret: &serde_json::Value) {
    let error = postgres::Client::connect(secret["url"].as_str().unwrap(), postgres::NoTls).err().unwrap();
    assert_eq!(error.code().map(|code| code.code()), Some("28P01"), "{error:?}");
}

#[test]
fn a_tenant_gets_another_password_and_whatever_else_differs_is_left_to_apply() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "rs"), (Admin::Createrole, "rc")] {
            let fleet = Fleet::under(admin, version, prefix);
            let key = |name: &str| format!("{prefix}-{name}");
            fleet.declare(&format!(
                "{prefix}-one = {{}}\n{prefix}-two = {{ access = \"owner\" }}\n{prefix}-three = {{}}"
            ));
            fleet.apply();
            // Differences that a rotation has nothing to do with; one of them in the names.
            fleet.declare(&format!("{prefix}-one = {{ connection_limit = 7, username = \"{prefix} app\" }}\n{prefix}-two = {{ access = \"owner\" }}\n{prefix}-three = {{}}"));
            fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
            let pending = fleet.run(&["plan", "--format", "json"]).ends(0).json();
            let rows = "SELECT tenant, schema_name, username, owner, access, state, secret_path, schema_oid FROM tenantry.tenants ORDER BY 1";
            let registered = fleet.ask(rows);
            let (before, other) = (["one", "two"].map(|name| fleet.secret(&key(name))), fleet.secret(&key("three")));
            let (mut open, held) = (fleet.log_in(&key("one")), fleet.memberships(admin));

            let report = fleet.run(&["rotate", "-y", &key("one"), &key("two"), "--format", "json"]).ends(0).json();
            assert_eq!(
                report["summary"],
                json!({"applied": 2, "unchanged": 0, "failed": 0, "skipped": 0, "unknown": 0})
            );
            for (name, before) in ["one", "two"].into_iter().zip(&before) {
                let after = fleet.secret(&key(name));
                assert_ne!(after["password"], before["password"]);
                for field in ["tenant", "username", "schema", "host", "port", "database"] {
                    assert_eq!(after[field], before[field], "{field}");
                }
                logs_in_no_more(before);
                fleet.log_in(&key(name)).batch_execute("SELECT FROM users").unwrap();
            }
            ask(&mut open, "SELECT count(*) FROM users");
            assert_eq!(fleet.secret(&key("three")), other);
            assert_eq!(fleet.ask(rows), registered);
            let audited = "SELECT changes -> 0 ->> 'kind', changes -> 1 ->> 'kind' FROM tenantry.audit_log ORDER BY id DESC LIMIT 1";
            assert_eq!(fleet.ask(audited), "set_password, write_secret");
            assert_eq!(fleet.run(&["plan", "--format", "json"]).ends(0).json(), pending);
            assert_eq!(fleet.memberships(admin), held);
            fleet.applies_and_settles();
        }
    }
}

#[test]
fn all_of_them_or_those_whose_password_is_old() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "rotate_all");
        fleet.declare("ra-one = {}\nra-two = {}\nra-given = { password_from = \"a password that is given\" }");
        fleet.apply();
        fleet.declare(
            "ra-one = {}\nra-two = {}\nra-given = { password_from = \"a password that is given\" }\nra-new = {}",
        );
        let secrets = || ["ra-one", "ra-two", "ra-given"].map(|tenant| fleet.secret(tenant)["password"].clone());
        let [one, two, given] = secrets();
        fleet.run(&["rotate", "-y", "--older-than", "30d"]).ends(0).says("No passwords to rotate.");
        assert_eq!(secrets(), [one.clone(), two.clone(), given.clone()]);
        fleet.execute(
            "UPDATE tenantry.tenants SET password_changed_at = now() - interval '31 days' WHERE tenant = 'ra-two'",
        );
        fleet
            .run(&["rotate", "-y", "--older-than", "30d"])
            .ends(0)
            .says("1 applied")
            .says("1 tenant left out: the password comes from password_from")
            .says("1 tenant left out: not set up in this database yet, so first: tenantry apply");
        let after = secrets();
        assert_eq!((&after[0], &after[2]), (&one, &given));
        assert_ne!(after[1], two);
        fleet.run(&["rotate", "-y", "--older-than", "720h"]).ends(0).says("No passwords to rotate.");
        fleet.run(&["rotate", "-y", "--all", "--target", "*-one"]).ends(0).says("1 applied");
        let again = secrets();
        assert_ne!(again[0], one);
        assert_eq!(again[1], after[1]);
        fleet.run(&["rotate", "-y", "--all"]).ends(0).says("2 applied");
        assert!(secrets()[0] != again[0] && secrets()[1] != again[1]);
        fleet.applies_and_settles();
    }
}

#[test]
fn those_that_are_due_are_noted_and_rotated_and_no_others() {
    let fleet = Fleet::usual(BOTH[0], "rotate_due");
    fleet.declare(
        "rd-old = { rotate_after = \"30d\" }\nrd-two = { rotate_after = \"30d\", rotation = \"two-user\" }\n\
         rd-new = { rotate_after = \"40d\" }\nrd-never = {}",
    );
    fleet.apply();
    let age = |days: u32| {
        fleet.execute(&format!("UPDATE tenantry.tenants SET password_changed_at = now() - interval '{days} days'"));
    };
    let secrets = || ["rd-old", "rd-two", "rd-new", "rd-never"].map(|tenant| fleet.secret(tenant)["password"].clone());
    let before = secrets();
    age(29);
    fleet.run(&["rotate", "-y", "--due"]).ends(0).says("No passwords to rotate.");
    age(35);
    let plan = fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
    assert_eq!(plan.stdout.matches("due").count(), 2, "{}", plan.stdout);
    let ages = fleet.run(&["list", "--older-than", "30d", "--format", "csv", "--columns", "tenant,secret_age"]).ends(0);
    assert_eq!(ages.stdout.lines().count(), 5, "{}", ages.stdout);
    assert!(ages.stdout.contains("rd-old,30240"), "{}", ages.stdout);
    let metrics = fleet.path("due.prom");
    fleet.run(&["drift", "--metrics", metrics.to_str().unwrap()]).ends(0);
    assert!(fs::read_to_string(&metrics).unwrap().contains("tenantry_passwords_due 2\n"));

    fleet.run(&["rotate", "-y", "--due"]).ends(0).says("2 applied");
    let after = secrets();
    assert!(after[0] != before[0] && after[1] != before[1] && after[2] == before[2] && after[3] == before[3]);
    assert_eq!(fleet.secret("rd-two")["username"], "rd_two_user_b");
    fleet.run(&["rotate", "-y", "--due"]).ends(0).says("No passwords to rotate.");
    fleet.settled();
}

#[test]
fn what_cannot_be_rotated_is_told_and_left() {
    let fleet = Fleet::usual(BOTH.into_iter().next().unwrap(), "rotate_not");
    fleet.declare("rn-one = {}\nrn-foreign = {}\nrn-given = { password_from = \"a password that is given\" }");
    fleet.run(&["rotate", "-y", "rn-one"]).ends(1).says("it does not exist yet").says("tenantry apply --target rn-one");
    fleet.assert_no_trace_of("rn-one");
    fleet.apply();
    let foreign = json!({"password": "someone else"}).to_string();
    fs::write(fleet.secret_file("rn-foreign"), &foreign).unwrap();
    let before = fleet.secret("rn-one");
    fleet.run(&["rotate", "-y", "rn-on"]).ends(1).says("tenant \"rn-on\" is not in");
    fleet.run(&["rotate", "-y", "rn-one", "nobody"]).ends(1).says("tenant \"nobody\" is not in");
    assert_eq!(fleet.secret("rn-one"), before);
    for usage in
        [&["rotate", "-y"][..], &["rotate", "-y", "--all", "rn-one"], &["rotate", "-y", "--older-than", "soon"]]
    {
        fleet.run(usage).ends(64);
    }
    let run = fleet.run(&["rotate", "-y", "rn-one", "rn-foreign", "rn-given"]).ends(1);
    run.says("1 applied").says("someone else").says("its password is given by password_from");
    assert_ne!(fleet.secret("rn-one")["password"], before["password"]);
    assert_eq!(fs::read_to_string(fleet.secret_file("rn-foreign")).unwrap(), foreign);
    fleet.log_in("rn-given");
}

#[test]
fn a_client_that_reads_openbao_logs_in_through_every_turn_of_two_users() {
    let bao = OpenBao::dev();
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "turns_bao");
        fleet.head = format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n{}", bao.address, fleet.head);
        fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
        let key = format!("tb-{}", fleet.database.server.port());
        fleet.declare(&format!("{key} = {{ rotation = \"two-user\" }}"));
        fleet.apply();
        let path = format!("secret/data/tenants/{key}");
        let read = || bao.try_api("GET", &path, &json!(null)).unwrap().1["data"]["data"].clone();
        let (stop, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
        let [first, second, third] = thread::scope(|scope| {
            let client = scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    fleet::log_in(&read()).batch_execute("SELECT FROM users").unwrap();
                    turns.fetch_add(1, Ordering::Relaxed);
                }
            });
            let first = read();
            fleet.run(&["rotate", "-y", &key]).ends(0);
            let second = read();
            // The one before, until the next rotation.
            fleet::log_in(&first);
            fleet.run(&["rotate", "-y", &key]).ends(0);
            logs_in_no_more(&first);
            stop.store(true, Ordering::Relaxed);
            client.join().unwrap();
            fleet.run(&["rotate", "-y", "--end-old", &key]).ends(0);
            [first, second, read()]
        });
        assert!(turns.into_inner() > 1);
        let user = key.replace('-', "_");
        let users = [&first, &second, &third].map(|secret| secret["username"].as_str().unwrap().to_owned());
        assert_eq!(users, ["a", "b", "b"].map(|letter| format!("{user}_user_{letter}")));
        assert_ne!(third["password"], second["password"]);
        logs_in_no_more(&second);
        fleet::log_in(&third).batch_execute("SELECT FROM users").unwrap();
        let open = format!("SELECT rolname FROM pg_roles WHERE rolname LIKE '{user}%' AND rolcanlogin");
        assert_eq!(fleet.ask(&open), format!("{user}_user_b"));
        fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
        fleet.run(&["verify"]).ends(0);
    }
}

#[test]
fn the_secret_in_openbao_gets_one_more_version() {
    let bao = OpenBao::dev();
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "rotate_bao");
        fleet.head = format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n{}", bao.address, fleet.head);
        fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
        let key = format!("rb-{}", fleet.database.server.port());
        fleet.declare(&format!("{key} = {{}}"));
        fleet.apply();
        let read =
            || bao.try_api("GET", &format!("secret/data/tenants/{key}"), &json!(null)).unwrap().1["data"].clone();
        let before = read();
        fleet.run(&["rotate", "-y", &key]).ends(0);
        let after = read();
        assert_eq!(after["metadata"]["version"].as_u64(), before["metadata"]["version"].as_u64().map(|n| n + 1));
        let [mut noted, kept] = [&after, &before].map(|secret| secret["metadata"]["custom_metadata"].clone());
        assert_ne!(noted["fleet_run"], kept["fleet_run"]);
        noted["fleet_run"] = kept["fleet_run"].clone();
        assert_eq!(noted, kept);
        logs_in_no_more(&before["data"]);
        fleet::log_in(&after["data"]);
        fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
    }
}
