//! What is asked before anything is changed, and who cannot be asked.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::binaries;

/// The command at a terminal of its own.
fn at_a_terminal(fleet: &Fleet, args: &str) -> Child {
    let mut script = fleet.program("script");
    script.args(["-q", "-e", "-c", &format!("{} {args}", env!("CARGO_BIN_EXE_tenantry")), "/dev/null"]);
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether it succeeded, and what it printed.
fn answer(child: &mut Child, words: &str) -> (bool, String) {
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{words}").unwrap();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().success(), said)
}

#[test]
fn a_question_that_waits_for_its_answer_is_what_the_next_apply_is_told() {
    let fleet = Fleet::usual(BOTH[0], "question");
    fleet.declare("qu-one = {}");
    let mut child = at_a_terminal(&fleet, "apply");
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ 'waiting for confirmation'";
    let begun = Instant::now();
    while fleet.ask(waiting) == "0" {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(20));
    }
    fleet.try_apply().ends(1).says("waiting for confirmation");
    assert!(answer(&mut child, "yes").0);
    fleet.settled();
}

#[test]
fn rotate_and_restore_show_what_they_would_do_and_ask() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "ask_first");
        let programs = binaries(version).dir().display().to_string();
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), programs);
        fleet.declare("qr-one = {}\nqr-two = {}");
        fleet.apply();
        let password = || fleet.secret("qr-one")["password"].clone();
        let before = password();
        for (args, hint) in [
            (&["rotate", "qr-one"][..], "tenantry rotate qr-one --auto-approve"),
            (&["rotate", "--all"], "tenantry rotate --all --auto-approve"),
        ] {
            fleet
                .run(args)
                .ends(1)
                .says("rotate asks before it changes anything, but stdin is not a terminal")
                .says(hint);
        }
        let (done, said) = answer(&mut at_a_terminal(&fleet, "rotate qr-one"), "y");
        assert!(!done && said.contains("changes_credentials") && said.contains("Change these passwords?"), "{said}");
        assert!(said.contains("Nothing was changed."), "{said}");
        assert_eq!(password(), before);
        assert!(answer(&mut at_a_terminal(&fleet, "rotate qr-one"), "yes").0);
        assert_ne!(password(), before);

        fleet.log_in("qr-one").batch_execute("INSERT INTO users (email) VALUES ('a'), ('b'), ('c')").unwrap();
        let archive = fleet.run(&["archive", "qr-one", "--format", "json"]).ends(0).json();
        let manifest = archive["manifest"].as_str().unwrap();
        fleet.declare("qr-two = {}");
        fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        fleet.declare("qr-one = {}\nqr-two = {}");
        fleet.migration("V3__later.sql", "CREATE TABLE later ();");
        let there = "SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_qr_one'";
        let restore = ["restore", manifest];
        let refused =
            fleet.run(&restore).ends(1).says("restore asks before it changes anything").says("--auto-approve");
        assert!(
            refused.stdout.contains("3 tables, 5 rows") && refused.stdout.contains("+ create tenant qr-one"),
            "{}",
            refused.stdout
        );
        assert!(refused.stdout.contains("migration V3__later  V2 → V3"), "{}", refused.stdout);
        assert_eq!(fleet.ask(there), "0");
        let (done, said) = answer(&mut at_a_terminal(&fleet, &restore.join(" ")), "no");
        assert!(!done && said.contains("Restore this tenant?"), "{said}");
        assert_eq!(fleet.ask(there), "0");
        assert!(answer(&mut at_a_terminal(&fleet, &restore.join(" ")), "yes").0);
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_qr_one.users"), "3");
        fleet.applies_and_settles();
    }
}
