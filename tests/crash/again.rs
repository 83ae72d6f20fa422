//! What is left to be noted once it is done, and what whoever waits is told meanwhile.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet};
use crate::rules::{APPLY, cut_off, no_orphans, one_more_apply_ends_in_sync, secret_files};

/// A secret that is deleted is noted after the COMMIT of the apply that finds it gone: that one may be cut off too.
#[test]
fn a_deleted_secret_is_forgotten_however_often_that_is_cut_off() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "forget");
        let (prefix, key) = (fleet.database.name.clone(), fleet.database.name.replace('_', "-"));
        fleet.declare(&format!("{key}-a = {{}}"));
        fleet.apply();
        fleet.head = "[secrets]\npath = \"moved/{tenant}\"\n".into();
        fleet.declare(&format!("{key}-a = {{}}"));
        assert!(cut_off(&fleet, &APPLY, "after_secret_deleted"));
        for point in ["before_commit", "after_commit"] {
            let former = "SELECT path FROM tenantry.former_secrets";
            assert_eq!(fleet.ask(former), format!("tenants/{key}-a"), "before it was cut off at {point}");
            fleet.run(&["plan"]).ends(0).says("deleted already");
            assert!(cut_off(&fleet, &APPLY, point), "{point}");
        }
        one_more_apply_ends_in_sync(&fleet, "forget");
        no_orphans(&fleet, &prefix, &secret_files(&fleet), "forget");
    }
}

#[test]
fn who_interrupts_an_apply_that_waits_for_the_store_is_told_so() {
    let fleet = Fleet::usual(BOTH[0], "waits");
    fleet.declare("wt-one = {}");
    let mut command = fleet.command(&["apply", "-y"]);
    command.env("FAILPOINTS", "after_secret=sleep(4000)").stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let begun = Instant::now();
    while !fleet.secret_file("wt-one").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -INT \"$1\"", "sh", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("wt-one: secret tenants/wt-one, for "), "{stderr}");
    fleet.settled();
}
