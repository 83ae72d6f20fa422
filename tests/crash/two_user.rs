//! Two users that log in for a tenant in turn: wherever a run is cut off, the secret opens the database.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::fleet::{Admin, BOTH, Fleet};
use crate::rules::{APPLY, cut_off, no_orphans, one_more_apply_ends_in_sync, secret_files};

/// Every fail point on the way of a secret that is switched.
const POINTS: [&str; 11] = [
    "before_begin",
    "after_changes",
    "before_secret",
    "before_commit",
    "after_commit",
    "before_secret_file_is_renamed",
    "after_secret_file_is_renamed",
    "after_secret_is_switched",
    "before_switch_is_noted",
    "after_switch_is_noted",
    "before_shared_after",
];

const SINGLE: &str = "{}";
const TWO: &str = "{ rotation = \"two-user\" }";
const ROTATE: [&str; 3] = ["rotate", "-y", "--all"];
const END_OLD: [&str; 4] = ["rotate", "-y", "--all", "--end-old"];

/// Reads the secret and logs in with it.
fn opens(fleet: &Fleet, tenant: &str) -> Result<(), String> {
    let secret: Value = serde_json::from_slice(&std::fs::read(fleet.secret_file(tenant)).unwrap()).unwrap();
    let session = postgres::Client::connect(secret["url"].as_str().unwrap(), postgres::NoTls);
    let told = |error: postgres::Error| format!("{} does not open it: {error:?}", secret["username"]);
    session.and_then(|mut session| session.batch_execute("SELECT FROM users")).map_err(told)
}

/// Cut off at each point: the secret opens the database at once, after one more apply, and after a rotation instead of it.
fn play(name: &str, admin: Admin, (before, after): (&str, &str), args: &[&str], never: &[&str]) {
    for version in BOTH {
        for point in POINTS {
            let fleet = Fleet::under(admin, version, &format!("two_{name}"));
            let prefix = fleet.database.name.clone();
            let key = format!("{}-one", prefix.replace('_', "-"));
            let at = format!("{name} cut off at {point} on {version:?}");
            let works = |when: &str| assert_eq!(opens(&fleet, &key), Ok(()), "{at}, {when}");
            fleet.declare(&format!("{key} = {before}"));
            fleet.run(&APPLY).ends(0);
            fleet.declare(&format!("{key} = {after}"));
            assert_eq!(cut_off(&fleet, args, point), !never.contains(&point), "{at}");
            works("at once");
            one_more_apply_ends_in_sync(&fleet, &at);
            works("after an apply");
            no_orphans(&fleet, &format!("{prefix}_one"), &secret_files(&fleet), &at);
            // And whatever comes next instead.
            cut_off(&fleet, &ROTATE, point);
            cut_off(&fleet, &ROTATE, point);
            if after == TWO {
                works("cut off twice more");
            }
            fleet.run(&ROTATE).ends(0);
            works("after a rotation");
            fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
        }
    }
}

#[test]
fn a_rotation() {
    play("turn", Admin::Superuser, (TWO, TWO), &ROTATE, &[]);
}

#[test]
fn a_rotation_that_ends_the_old_one() {
    play("end", Admin::Createrole, (TWO, TWO), &END_OLD, &[]);
}

/// Whatever was read or opened before is of no use once the same command has run again.
#[test]
fn a_rotation_that_ends_the_old_one_does_the_rest_when_it_is_run_again() {
    for (admin, version) in [(Admin::Superuser, BOTH[0]), (Admin::Createrole, BOTH[1])] {
        for point in POINTS {
            let fleet = Fleet::under(admin, version, "two_again");
            let key = format!("{}-one", fleet.database.name.replace('_', "-"));
            fleet.declare(&format!("{key} = {TWO}"));
            fleet.run(&APPLY).ends(0);
            let leaked = fleet.secret(&key);
            let mut session = fleet.log_in(&key);
            assert!(cut_off(&fleet, &END_OLD, point), "{point}");
            fleet.run(&END_OLD).ends(0);
            let refused = postgres::Client::connect(leaked["url"].as_str().unwrap(), postgres::NoTls);
            assert!(refused.is_err(), "{point}: the password that leaked");
            assert!(session.batch_execute("SELECT 1").is_err(), "{point}: a session from before");
            assert_eq!(opens(&fleet, &key), Ok(()), "{point}");
            fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
        }
    }
}

#[test]
fn from_one_to_two() {
    play("to", Admin::Superuser, (SINGLE, TWO), &APPLY, &[]);
}

#[test]
fn from_two_to_one() {
    play("back", Admin::Createrole, (TWO, SINGLE), &APPLY, &[]);
}

#[test]
fn a_client_never_fails_through_a_hundred_rotations_and_a_hundred_kills() {
    let fleet = Fleet::usual(BOTH[0], "two_kills");
    let key = "tk-one";
    fleet.declare(&format!("{key} = {TWO}"));
    fleet.apply();
    let (stop, connected, kills) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let result = thread::scope(|scope| {
        let client = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                opens(&fleet, key)?;
                connected.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), String>(())
        });
        for n in 0..100 {
            kills.fetch_add(cut_off(&fleet, &ROTATE, POINTS[n % POINTS.len()]).into(), Ordering::Relaxed);
            if n % 3 == 0 {
                fleet.run(&APPLY).ends(0);
            }
            fleet.run(&ROTATE).ends(0);
            if client.is_finished() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    assert_eq!(result, Ok(()));
    assert!(connected.into_inner() > 100);
    assert_eq!(kills.into_inner(), 100);
    fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
}
