//! Secrets that somebody edited in the files, without a thought for their version.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fleet::{BOTH, Fleet, ask};

fn edit(fleet: &Fleet, tenant: &str, change: impl Fn(&mut Value)) {
    let mut secret = fleet.secret(tenant);
    change(&mut secret);
    fs::write(fleet.secret_file(tenant), secret.to_string()).unwrap();
}

/// Leads elsewhere, by the url and by the keys.
fn lead_to(fleet: &Fleet, tenant: &str, port: u16) {
    edit(fleet, tenant, |secret| {
        let url = secret["url"].as_str().unwrap().to_owned();
        let (user, rest) = url.split_once('@').unwrap();
        secret["url"] = json!(format!("{user}@127.0.0.1:{port}/{}", rest.split_once('/').unwrap().1));
        (secret["host"], secret["port"]) = (json!("127.0.0.1"), json!(port));
    });
}

/// Accepts every connection and says nothing; what it was sent is counted.
fn silent() -> (u16, &'static AtomicUsize) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut bytes) {
                    heard.fetch_add(read, Ordering::SeqCst);
                }
            });
        }
    });
    (port, heard)
}

#[test]
fn a_secret_that_leads_to_somebody_silent_holds_up_no_other_tenant() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "silent");
        fleet.declare("si-one = {}\nsi-two = {}");
        fleet.applies_and_settles();
        let (port, heard) = silent();
        lead_to(&fleet, "si-one", port);
        let begun = Instant::now();
        fleet
            .run(&["verify", "--parallelism", "1"])
            .ends(1)
            .says("no answer within 10 s (connect_timeout)")
            .says("1 tenant isolated and working, 0 failed, 1 not tried");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        assert!(heard.load(Ordering::SeqCst) > 0, "it was never asked");
        // How long is the admin's to say.
        fleet.env.insert("PGCONNECT_TIMEOUT".into(), "2".into());
        fleet.run(&["verify"]).ends(1).says("no answer within 2 s (connect_timeout)");
    }
}

#[test]
fn a_secret_with_an_empty_password_is_sent_to_nobody() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "nothing");
        fleet.declare("en-one = {}");
        fleet.applies_and_settles();
        let (port, heard) = silent();
        for (password, escaped, fault) in
            [("", "", "is empty"), ("\u{ad}", "%C2%AD", "contains only characters that SASLprep removes")]
        {
            lead_to(&fleet, "en-one", port);
            edit(&fleet, "en-one", |secret| {
                let url = secret["url"].as_str().unwrap().to_owned();
                let (start, rest) = url.split_once('@').unwrap();
                let user = start.rsplit_once(':').unwrap().0;
                secret["url"] = json!(format!("{user}:{escaped}@{rest}"));
                secret["password"] = json!(password);
            });
            fleet.run(&["verify"]).ends(2).says(&format!("the password in the secret {fault}")).says("rotate en-one");
            fleet.run(&["drift", "--deep"]).ends(2);
        }
        assert_eq!(heard.load(Ordering::SeqCst), 0);
        fleet.run(&["rotate", "-y", "en-one"]).ends(0);
        fleet.settled();
    }
}

#[test]
fn what_was_edited_under_the_same_version_is_drift_and_written_again() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "same_version");
        fleet.declare("sv-one = {}\nsv-two = {}");
        fleet.applies_and_settles();
        let right = fleet.secret("sv-one");
        let edits: [(&str, Value); 6] = [
            ("url", json!("postgresql://elsewhere/app")),
            ("host", json!("elsewhere")),
            ("port", json!(1)),
            ("username", json!("sv_two_user")),
            ("schema", json!("tenant_sv_two")),
            ("managed_by", json!("somebody")),
        ];
        for (key, value) in edits {
            edit(&fleet, "sv-one", |secret| secret[key] = value.clone());
            fleet.run(&["drift"]).ends(2).says("secret tenants/sv-one");
            fleet.run(&["drift", "--target", "sv-two"]).ends(0);
            fleet.applies_and_settles();
            let now = fleet.secret("sv-one");
            for key in ["url", "host", "port", "username", "schema", "managed_by", "password"] {
                assert_eq!(now[key], right[key], "{key}");
            }
            fleet.run(&["verify"]).ends(0);
        }
        lead_to(&fleet, "sv-one", 1);
        fleet.run(&["drift"]).ends(2).says("secret tenants/sv-one");
        fleet.applies_and_settles();
        fleet.run(&["verify"]).ends(0);
        // PostgreSQL follows a password, and so does the url.
        edit(&fleet, "sv-one", |secret| secret["password"] = json!("by hand"));
        fleet.run(&["drift"]).ends(2).says("as in the secret store");
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("sv-one")["password"], "by hand");
        assert_eq!(ask(&mut fleet.log_in("sv-one"), "SELECT current_schema()"), "tenant_sv_one");
        // What is no secret of ours any more is left alone, and said.
        let whole = fleet.secret("sv-one");
        edit(&fleet, "sv-one", |secret| secret["port"] = json!("a port"));
        fleet.run(&["plan"]).ends(0).says("blocked").says("key \"port\" is not a port number");
        fleet.try_apply().ends(1);
        assert_eq!(fleet.secret("sv-one")["port"], "a port");
        fs::write(fleet.secret_file("sv-one"), whole.to_string()).unwrap();
        fleet.settled();
    }
}
