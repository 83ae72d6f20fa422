//! Programs that run as tenants.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::fleet::{Admin, BOTH, Fleet};
use serde_json::json;

const ENV: [&str; 2] = ["sh", "-c"];

#[test]
fn one_tenants_program_has_its_login_and_nothing_of_the_administrators() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "es"), (Admin::Createrole, "ec")] {
            let mut fleet = Fleet::under(admin, version, prefix);
            fleet.env.extend(
                [
                    ("PGUSER", "nobody"),
                    ("PGOPTIONS", "-c search_path=public"),
                    ("PGSERVICE", ""),
                    ("VAULT_TOKEN", "s.admin"),
                    ("GIVEN", "the password of another"),
                    ("KEPT", "kept"),
                ]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            let key = format!("{prefix}-a");
            fleet.declare(&format!("{key} = {{}}\n{prefix}-b = {{ password_from = \"${{GIVEN}}\" }}"));
            fleet.apply();
            let psql = [
                "exec",
                &key,
                "--",
                "psql",
                "-XAtc",
                "SELECT session_user, current_schema, current_setting('search_path')",
            ];
            let schema = format!("tenant_{prefix}_a");
            let run = fleet.run(&psql).ends(0);
            assert_eq!(run.stdout, format!("{prefix}_a_user|{schema}|{schema}\n"));
            // The url alone does as well.
            let by_url = "unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE; exec psql -XAtc 'SELECT current_user, count(*) FROM users' \"$DATABASE_URL\"";
            let run = fleet.run(&["exec", &key, "--", "sh", "-c", by_url]).ends(0);
            assert_eq!(run.stdout, format!("{prefix}_a_user|0\n"));
            let told = fleet.run(&["exec", &key, "--", "env"]).ends(0).stdout;
            let names: Vec<&str> = told.lines().filter_map(|line| line.split('=').next()).collect();
            for name in ["VAULT_TOKEN", "GIVEN", "TENANTRY_DATABASE_URL", "PGOPTIONS", "PGSERVICE"] {
                assert!(!names.contains(&name), "{name}");
            }
            // What lib/pq knows of a login without TLS; a variable more, and it refuses to connect.
            let of_libpq: BTreeSet<&str> = names.iter().copied().filter(|name| name.starts_with("PG")).collect();
            let known = ["PGCONNECT_TIMEOUT", "PGDATABASE", "PGHOST", "PGPASSWORD", "PGPORT", "PGSSLMODE", "PGUSER"];
            assert_eq!(of_libpq, known.into());
            assert!(
                names.contains(&"KEPT") && told.contains(&format!("TENANTRY_SCHEMA={schema}\nTENANTRY_TENANT={key}\n")),
                "{names:?}"
            );
            assert!(!told.contains("the password of another") && !told.contains(fleet.database.server.password()));
            let secret = fleet.secret(&key);
            assert!(told.contains(&format!("DATABASE_URL={}", secret["url"].as_str().unwrap())));
        }
    }
}

#[test]
fn stdin_and_the_exit_code_are_the_programs_own() {
    let fleet = Fleet::usual(BOTH[0], "exec_one");
    fleet.declare("eo-a = {}\neo-b = {}");
    fleet.apply();
    fleet.declare("eo-a = {}\neo-b = {}\neo-new = {}");
    fleet.run(&["exec", "eo-a", "--", "sh", "-c", "exit 7"]).ends(7);
    let mut psql = fleet.command(&["exec", "eo-a", "--", "sh", "-c", "cat; kill -TERM $$"]);
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"said to it").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"said to it");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
    fleet.run(&["exec", "eo-a", "--", "no-such-program"]).ends(127).says("running no-such-program");
    fleet.run(&["exec", "eo-new", "--", "true"]).ends(1).says("tenant eo-new is not in use: not applied yet");
    fleet.run(&["exec", "nobody", "--", "true"]).ends(1).says("tenant \"nobody\" is not in");
    fleet.run(&["exec", "eo-a", "--target", "eo-b", "--", "true"]).ends(1).says("--target leaves out tenant eo-a");
    for usage in [
        &["exec", "--", "true"][..],
        &["exec", "eo-a", "--all", "--", "true"],
        &["exec", "eo-a"],
        &["plan", "--format", "csv"],
    ] {
        fleet.run(usage).ends(64);
    }
}

#[test]
fn many_run_at_once_and_each_line_says_whose_it_is() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "exec_many");
        fleet.declare("em-a = {}\nem-bc = {}\nem-d = {}\nem-e = {}");
        fleet.apply();
        fleet.execute("ALTER ROLE em_e_user NOLOGIN");
        let run = fleet.run(&["exec", "--all", "--", "psql", "-XAtc", "SELECT session_user || chr(27)"]).ends(0);
        let mut lines: Vec<&str> = run.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["em-a  | em_a_user\\u{1b}", "em-bc | em_bc_user\\u{1b}", "em-d  | em_d_user\\u{1b}"]);
        run.says("em-e: not started: suspended").says("exec: 3 tenants done, 0 failed, 1 not started");
        let some = [
            &["exec", "--target", "em-[abd]*", "--format", "json", "--"],
            &ENV[..],
            &["echo out; echo err >&2; test $TENANTRY_TENANT != em-bc"],
        ]
        .concat();
        let run = fleet.run(&some).ends(1);
        let mut report = run.json();
        report["tenants"].as_array_mut().unwrap().iter_mut().for_each(|tenant| tenant["duration_ms"] = json!(0));
        assert_eq!(report["summary"], json!({"succeeded": 2, "failed": 1, "skipped": 0}));
        let failed = json!({"tenant": "em-bc", "outcome": "failed", "exit_code": 1, "signal": null, "error": null, "duration_ms": 0});
        assert_eq!(report["tenants"][1], failed);
        run.says("em-bc | out\n").says("em-d  | err\n");
        let all_fail = ["exec", "--all", "--parallelism", "1", "--max-failures", "2", "--", "false"];
        let run = fleet.run(&all_fail).ends(1).says("em-a, em-bc: failed with exit code 1");
        run.says("em-d, em-e: not started: 2 failed alike (--max-failures)");
    }
}

#[test]
fn an_interrupt_reaches_every_program_and_nothing_more_is_started() {
    let fleet = Fleet::usual(BOTH[0], "exec_interrupt");
    fleet.declare("ei-a = {}\nei-b = {}\nei-c = {}");
    fleet.apply();
    let script = "trap 'echo told; exit 3' INT; echo ready; sleep 60 & wait";
    let mut command = fleet.command(&["exec", "--all", "--parallelism", "2", "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let begun = Instant::now();
    let mut ready: Vec<String> = lines.by_ref().take(2).collect();
    ready.sort_unstable();
    assert_eq!(ready, ["ei-a | ready", "ei-b | ready"]);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let mut told: Vec<String> = lines.collect();
    told.sort_unstable();
    assert_eq!(told, ["ei-a | told", "ei-b | told"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ei-c: not started: interrupted"));
    assert!(begun.elapsed() < Duration::from_secs(30));
}
