//! A primary and its standby in one url: what secrets say, before and after a fail-over.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tenantry::sandbox::Server;

use crate::fleet::{Admin, BOTH, Fleet, ask, log_in};
use crate::postgres_server::{Version, binaries, database_on, target};

/// Streaming from one to the other. Both have the primary's password.
fn pair(version: Version) -> (Arc<Server>, Arc<Server>) {
    let start = || Server::builder().binaries(binaries(version)).start().unwrap();
    let (mut primary, mut standby) = (start(), start());
    primary.stop().unwrap();
    standby.stop().unwrap();
    let (from, to) = (primary.socket_dir().join("data"), standby.socket_dir().join("data"));
    let conf = fs::read_to_string(to.join("postgresql.auto.conf")).unwrap();
    fs::remove_dir_all(&to).unwrap();
    assert!(Command::new("cp").arg("-a").args([&from, &to]).status().unwrap().success());
    let line = format!("host=127.0.0.1 port={} user=postgres password={}", primary.port(), primary.password());
    fs::write(to.join("postgresql.auto.conf"), format!("{conf}primary_conninfo = '{line}'\n")).unwrap();
    fs::write(to.join("standby.signal"), "").unwrap();
    let owner = fs::metadata(&from).unwrap();
    chown(to.join("standby.signal"), Some(owner.uid()), Some(owner.gid())).unwrap();
    primary.start_again().unwrap();
    standby.start_again().unwrap();
    (Arc::new(primary), Arc::new(standby))
}

/// As a power cut takes it.
fn kill(server: &Server) {
    let pid = fs::read_to_string(server.socket_dir().join("data/postmaster.pid")).unwrap();
    let pid = pid.lines().next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-QUIT", &pid]).status().unwrap().success());
    until("the primary is gone", || !fs::exists(server.socket_dir().join("data/postmaster.pid")).unwrap());
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn secrets_lead_to_the_primary_wherever_it_stands_in_the_url_and_follow_it() {
    for version in BOTH {
        let (primary, standby) = pair(version);
        let mut fleet = Fleet::usual_on(Admin::Superuser, database_on(primary.clone(), "several"));
        let name = fleet.database.name.clone();
        let of = |hosts: &str, more: &str| {
            let url = format!("postgresql://postgres@{hosts}/{name}?{more}");
            url.replace("PRIMARY", &format!("127.0.0.1:{}", primary.port()))
                .replace("STANDBY", &format!("127.0.0.1:{}", standby.port()))
        };
        fleet.env.insert("PGPASSWORD".into(), primary.password().into());
        let there = format!("postgresql://postgres:{}@127.0.0.1:{}/{name}", primary.password(), standby.port());
        until("the database is on the standby", || {
            tenantry::database::Target::find(Some(&there), None, &|_| None, None).unwrap().connect().is_ok()
        });
        fleet.declare("sv-one = {}\nsv-two = {}");

        // The standby comes first: nothing is changed, and what to type is said.
        fleet.url = of("STANDBY,PRIMARY", "");
        for args in [&["apply", "-y"][..], &["rotate", "-y", "sv-one"]] {
            fleet.run(args).ends(1).says("is a standby").says("target_session_attrs=read-write");
        }
        assert!(!fleet.secret_file("sv-one").exists());
        fleet.url = of("STANDBY,PRIMARY", "target_session_attrs=read-write");
        fleet.applies_and_settles();
        let secret = fleet.secret("sv-one");
        assert_eq!((&secret["host"], &secret["port"]), (&json!("127.0.0.1"), &json!(primary.port())));
        ask(&mut log_in(&secret), "INSERT INTO users (email) VALUES ('a')");

        // A look from the standby finds nothing else to say.
        let rows = "SELECT count(*) FROM tenantry.tenants WHERE secret_version IS NOT NULL";
        until("the standby has it all", || {
            let mut client = target(&there).connect().unwrap();
            ask(&mut client, "SELECT to_regclass('tenantry.tenants')::text") != "-" && ask(&mut client, rows) == "2"
        });
        for url in [of("STANDBY,PRIMARY", ""), of("STANDBY", ""), of("PRIMARY,STANDBY", "target_session_attrs=standby")]
        {
            fleet.url = url;
            fleet.run(&["drift"]).ends(0);
            fleet.try_apply().ends(1).says("is a standby");
        }
        assert_eq!(fleet.secret("sv-one"), secret);

        // After a fail-over they lead to the new primary.
        target(&there).connect().unwrap().batch_execute("SELECT pg_promote()").unwrap();
        kill(&primary);
        fleet.url = of("PRIMARY,STANDBY", "target_session_attrs=read-write");
        fleet.run(&["drift"]).ends(2).says("changes on failover").says("advertise");
        fleet.applies_and_settles();
        let secret = fleet.secret("sv-one");
        assert_eq!(secret["port"], json!(standby.port()));
        ask(&mut log_in(&secret), "INSERT INTO users (email) VALUES ('b')");

        // Two ways to one server, as two poolers are: whichever comes first, a secret that serves stays.
        let two = format!("127.0.0.1:{0},localhost:{0}", standby.port());
        let turned = format!("localhost:{0},127.0.0.1:{0}", standby.port());
        for hosts in [two, turned] {
            fleet.url = of(&hosts, "");
            fleet.settled();
            fleet.run(&["rotate", "-y", "sv-two"]).ends(0);
            assert_eq!(fleet.secret("sv-two")["host"], "127.0.0.1");
        }
    }
}
