//! What Ctrl-C says, and what a second one does.

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::interrupt;
use crate::fleet::{BOTH, Fleet};

/// Until somebody sleeps in the database.
fn somebody_sleeps(fleet: &Fleet) {
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let begun = Instant::now();
    while fleet.ask(sleeping) == "0" {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_first_interrupt_says_what_is_waited_for_and_the_second_rolls_it_back() {
    for (version, name) in BOTH.into_iter().zip(["ir15", "ir18"]) {
        let fleet = Fleet::usual(version, name);
        fleet.migration("V3__slow.sql", "SELECT pg_sleep(60);");
        fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
        let mut command = fleet.command(&["apply", "-y", "--parallelism", "1", "--format", "json"]);
        let begun = Instant::now();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        somebody_sleeps(&fleet);
        interrupt(child.id());
        sleep(Duration::from_millis(500));
        assert_ne!(fleet.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"), "0", "it goes on");
        interrupt(child.id());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{stderr}");
        assert!(begun.elapsed() < Duration::from_secs(50), "{stderr}");
        assert!(
            stderr.contains("waiting for those in progress")
                && stderr.contains(&format!("{name}-one: V1__create_users.sql to V3__slow.sql, for ")),
            "{stderr}"
        );
        assert!(stderr.contains("cancelling and rolling back"), "{stderr}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["tenants"][0]["outcome"], "failed", "{report}");
        assert!(report["tenants"][0]["error"]["message"].as_str().unwrap().contains("interrupted: "), "{report}");
        assert_eq!(report["tenants"][1]["outcome"], "skipped", "{report}");
        fleet.assert_no_trace_of(&format!("{name}-one").replace('-', "_"));
        fleet.migration("V3__slow.sql", "SELECT 1;");
        fleet.applies_and_settles();
    }
}

#[test]
fn a_third_interrupt_does_not_wait_for_anything() {
    let fleet = Fleet::usual(BOTH[1], "ithree");
    fleet.migration("V3__slow.sql", "SELECT pg_sleep(60);");
    fleet.declare("it-one = {}");
    let mut command = fleet.command(&["apply", "-y"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    somebody_sleeps(&fleet);
    for _ in 0..3 {
        interrupt(child.id());
        sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    fleet.migration("V3__slow.sql", "SELECT 1;");
    fleet.applies_and_settles();
}

#[test]
fn one_typing_error_is_met_three_times_and_not_by_the_whole_fleet() {
    for (version, name) in BOTH.into_iter().zip(["ty15", "ty18"]) {
        let fleet = Fleet::usual(version, name);
        fleet.declare(&(0..30).map(|n| format!("{name}-{n:02} = {{}}\n")).collect::<String>());
        fleet.apply();
        fleet.migration("V3__typo.sql", "CREATE TABLE a (id int);\nALTER TABLE usres ADD COLUMN b int;\n");
        let count = |args: &[&str]| {
            let report =
                fleet.run(&[&["apply", "-y", "--parallelism", "1", "--format", "json"], args].concat()).ends(1).json();
            let of = |outcome: &str| report["summary"][outcome].as_u64().unwrap();
            ((of("failed"), of("skipped")), report)
        };
        let ((failed, skipped), report) = count(&[]);
        assert_eq!((failed, skipped), (3, 27), "{report}");
        let last = &report["tenants"][29];
        assert_eq!(last["outcome"], "skipped");
        assert!(last["error"]["message"].as_str().unwrap().contains("--max-failures 3"), "{last}");
        assert_eq!(count(&["--max-failures", "5"]).0, (5, 25));
        assert_eq!(count(&["--max-failures", "0"]).0, (30, 0));
        fleet.try_apply().ends(1).says("V3__typo.sql:2").says("skipped").says("failed with the same error");
        // Each one's own failure is no reason to stop.
        fleet.migration(
            "V3__typo.sql",
            "DO $$ BEGIN IF current_schema() !~ '0$' THEN RAISE EXCEPTION 'not %', substring(current_schema() from '..$'); END IF; END $$;",
        );
        assert_eq!(count(&[]).0, (27, 0));
        std::fs::remove_file(fleet.path("migrations/V3__typo.sql")).unwrap();
        fleet.migration("V3__fine.sql", "SELECT 1;");
        fleet.run(&["apply", "-y", "--target", &format!("{name}-?1")]).ends(0);
    }
}
