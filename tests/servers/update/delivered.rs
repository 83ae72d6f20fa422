//! What a secret says beside its password: how to connect, its url, and the keys that others added.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fleet::{BOTH, Fleet, ask};

/// As somebody edits it: under a new version, so that the next look reads it.
fn edit(fleet: &Fleet, tenant: &str, change: impl Fn(&mut Value)) {
    let mut secret = fleet.secret(tenant);
    secret["version"] = json!(secret["version"].as_u64().unwrap() + 1);
    change(&mut secret);
    fs::write(fleet.secret_file(tenant), secret.to_string()).unwrap();
}

#[test]
fn sslmode_is_always_written_planned_and_shown() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "sslmode");
        let head = fleet.head.clone();
        fleet.declare("sm-one = {}");
        fleet.run(&["plan"]).ends(0).says(", sslmode disable, schema tenant_sm_one");
        fleet.applies_and_settles();
        assert!(fleet.secret("sm-one")["url"].as_str().unwrap().ends_with("?sslmode=disable"));
        // A secret of an older tenantry: no sslmode in it, nor in the registry.
        edit(&fleet, "sm-one", |secret| {
            secret["url"] = json!(secret["url"].as_str().unwrap().split_once('?').unwrap().0);
        });
        let version_now = fleet.secret("sm-one")["version"].clone();
        fleet.unmark(&["sm-one"]);
        fleet.execute(&format!(
            "ALTER TABLE tenantry.tenants DROP COLUMN secret_sslmode; DROP TABLE tenantry.migration_objects, tenantry.migration_sets, tenantry.apply_lock; \
             DELETE FROM tenantry.refinery_schema_history WHERE version >= 4; \
             UPDATE tenantry.tenants SET secret_version = '{version_now}'"
        ));
        fleet.run(&["drift"]).ends(2).says(", sslmode disable, schema tenant_sm_one");
        fleet.applies_and_settles();
        assert!(fleet.secret("sm-one")["url"].as_str().unwrap().ends_with("?sslmode=disable"));
        fleet.head = format!("[database]\nadvertise = {{ sslmode = \"prefer\" }}\n{head}");
        fleet.declare("sm-one = {}");
        fleet.run(&["show", "sm-one"]).ends(0).says("sslmode prefer").says("sslmode disable");
        fleet.run(&["drift"]).ends(2).says("sslmode prefer");
        fleet.applies_and_settles();
        assert!(fleet.secret("sm-one")["url"].as_str().unwrap().ends_with("?sslmode=prefer"));
        assert_eq!(fleet.ask("SELECT secret_sslmode FROM tenantry.tenants"), "prefer");
        fleet.run(&["rotate", "-y", "sm-one"]).ends(0);
        assert!(fleet.secret("sm-one")["url"].as_str().unwrap().ends_with("?sslmode=prefer"));
        fleet.settled();
    }
}

#[test]
fn a_url_that_is_not_what_the_other_keys_give_is_written_again() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "stale_url");
        fleet.declare("su-one = {}");
        fleet.applies_and_settles();
        let right = fleet.secret("su-one")["url"].clone();
        for wrong in ["postgresql://elsewhere/app", "", &format!("{}&options=x", right.as_str().unwrap())] {
            edit(&fleet, "su-one", |secret| secret["url"] = json!(wrong));
            fleet.run(&["drift"]).ends(2).says("a url that does not match");
            fleet.run(&["show", "su-one"]).ends(0).says("its url does not match");
            fleet.run(&["verify"]).ends(2).says("the secret's url does not match its other keys");
            fleet.applies_and_settles();
            assert_eq!(fleet.secret("su-one")["url"], right);
        }
        // A password edited by hand is taken, and the url follows it.
        edit(&fleet, "su-one", |secret| secret["password"] = json!("by hand"));
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("su-one")["password"], "by hand");
        assert_eq!(ask(&mut fleet.log_in("su-one"), "SELECT current_schema()"), "tenant_su_one");
    }
}

#[test]
fn keys_that_others_added_stay() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "others");
        fleet.declare("ok-one = {}\nok-two = { password_from = \"given for good\" }");
        fleet.applies_and_settles();
        for tenant in ["ok-one", "ok-two"] {
            edit(&fleet, tenant, |secret| {
                secret["team"] = json!("blue");
                secret["contacts"] = json!({"mail": ["a@example.com"]});
            });
        }
        let kept = |fleet: &Fleet| {
            for tenant in ["ok-one", "ok-two"] {
                let secret = fleet.secret(tenant);
                assert_eq!(
                    (&secret["team"], &secret["contacts"]["mail"][0]),
                    (&json!("blue"), &json!("a@example.com"))
                );
            }
        };
        fleet.applies_and_settles();
        kept(&fleet);
        let before = fleet.secret("ok-one");
        fleet.run(&["rotate", "-y", "ok-one"]).ends(0);
        assert_ne!(fleet.secret("ok-one")["password"], before["password"]);
        kept(&fleet);
        fleet.head.insert_str(0, "[database]\nadvertise = { host = \"localhost\" }\n");
        fleet.declare("ok-one = { username = \"ok one\" }\nok-two = { password_from = \"given again\" }");
        fleet.applies_and_settles();
        kept(&fleet);
        // To another path with its password.
        fleet.head.push_str("[secrets]\npath = \"elsewhere/{tenant}\"\n");
        fleet.declare("ok-one = { username = \"ok one\" }\nok-two = { password_from = \"given again\" }");
        fleet.applies_and_settles();
        let moved = fs::read_to_string(fleet.path(".tenantry/secrets/elsewhere/ok-one.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&moved).unwrap()["team"], "blue");
    }
}

#[test]
fn a_password_that_nobody_can_use_is_refused() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "unusable");
        fleet.declare("un-one = { password_from = \"\\u00ad\" }");
        fleet.run(&["validate"]).ends(1).says("the password contains only characters that SASLprep removes");
        fleet.declare("un-one = {}");
        fleet.applies_and_settles();
        let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'un-one_user'";
        let before = fleet.ask(verifier);
        for password in ["", "\u{ad}"] {
            edit(&fleet, "un-one", |secret| secret["password"] = json!(password));
            fleet.run(&["plan"]).ends(0).says("blocked").says("tenantry rotate un-one");
            fleet.try_apply().ends(1).says("the password in the secret at tenants/un-one");
            assert_eq!(fleet.ask(verifier), before);
        }
        fleet.run(&["rotate", "-y", "un-one"]).ends(0);
        fleet.settled();
        fleet.log_in("un-one");
    }
}

/// Whoever may write one tenant's secret must not get the admin's password (issue 10, 1).
#[test]
fn a_login_with_a_delivered_secret_takes_nothing_of_this_machine() {
    let version = BOTH[0];
    let mut fleet = Fleet::usual(version, "attacked");
    fleet.declare("at-one = {}");
    fleet.applies_and_settles();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A server that asks for the password in clear text.
            let (mut stream, mut start) = (stream.unwrap(), [0; 1024]);
            if stream.read(&mut start).unwrap_or_default() == 8 {
                // No TLS here.
                let _ = std::io::Write::write_all(&mut stream, b"N");
                let _ = stream.read(&mut start);
            }
            let _ = std::io::Write::write_all(&mut stream, &[b'R', 0, 0, 0, 8, 0, 0, 0, 3]);
            let mut answer = Vec::new();
            let _ = stream.set_read_timeout(Some(std::time::Duration::from_secs(2)));
            let _ = stream.read_to_end(&mut answer);
            hears.lock().unwrap().push(String::from_utf8_lossy(&answer).into_owned());
        }
    });
    let home = fleet.path("home");
    fs::create_dir_all(&home).unwrap();
    let passfile = home.join(".pgpass");
    fs::write(&passfile, "*:*:*:*:of the admin\n").unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join(".pg_service.conf"), format!("[prod]\nhost=127.0.0.1\nport={port}\n")).unwrap();
    for variable in [("PGHOSTADDR", "127.0.0.1"), ("PGPASSWORD", "of the admin"), ("PGOPTIONS", "-c work_mem=1MB")] {
        fleet.env.insert(variable.0.into(), variable.1.into());
    }
    let (right, passfile) = (fleet.secret("at-one"), passfile.display().to_string());
    let url = |more: &str| format!("postgresql://admin@db.internal:{port}/app?{more}");
    for url in [
        url(&format!("hostaddr=127.0.0.1&passfile={passfile}&sslmode=disable")),
        url(&format!("host=127.0.0.1&passfile={passfile}")),
        "postgresql:///app?service=prod".to_owned(),
        format!("host=127.0.0.1 port={port} passfile={passfile}"),
    ] {
        for empty in [true, false] {
            edit(&fleet, "at-one", |secret| {
                secret["url"] = json!(url);
                if empty {
                    secret["password"] = json!("");
                    secret["host"] = json!("127.0.0.1");
                    secret["port"] = json!(port);
                }
            });
            fleet.run(&["verify"]).ends(2);
            fleet.run(&["drift", "--deep"]).ends(2);
            fs::write(fleet.secret_file("at-one"), right.to_string()).unwrap();
        }
    }
    assert_eq!(*heard.lock().unwrap(), Vec::<String>::new());
    // A whole secret that leads there: it gets the password that stands in it, and nothing else.
    edit(&fleet, "at-one", |secret| {
        (secret["host"], secret["port"]) = (json!("127.0.0.1"), json!(port));
        let right = secret["url"].as_str().unwrap().to_owned();
        let (user, rest) = right.split_once('@').unwrap();
        secret["url"] = json!(format!("{user}@127.0.0.1:{port}/{}", rest.split_once('/').unwrap().1));
    });
    // Whoever answers there is no PostgreSQL: nothing could be tried.
    fleet.run(&["verify"]).ends(1);
    let heard = heard.lock().unwrap().concat();
    assert!(heard.contains(right["password"].as_str().unwrap()) && !heard.contains("of the admin"), "{heard:?}");
    fs::write(fleet.secret_file("at-one"), right.to_string()).unwrap();
    fleet.settled();
}
