//! pg_dump is missing, cannot write, is killed, or waits for a server that is gone: nothing is dropped, nobody stays locked out.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::project::{REMOVE, assert_no_deputy, manifests, project, project_of_few_locks};
use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::Version;

/// A directory with programs that say what they are told to, before the real ones.
fn programs(fleet: &Fleet, pg_dump: &str) -> String {
    both_programs(fleet, pg_dump, "exit 1")
}

fn both_programs(fleet: &Fleet, pg_dump: &str, pg_restore: &str) -> String {
    let dir = fleet.path("programs");
    std::fs::create_dir_all(&dir).unwrap();
    for (name, script) in [("pg_dump", pg_dump), ("pg_restore", pg_restore)] {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    dir.to_string_lossy().into_owned()
}

/// It still logs in, and nothing of an archive is there.
#[track_caller]
fn assert_untouched(fleet: &Fleet, tenant: &str) {
    assert_eq!(ask(&mut fleet.log_in(tenant), "SELECT count(*) FROM users"), "1");
    assert_no_deputy(fleet);
    assert!(manifests(fleet).is_empty());
}

#[test]
fn without_a_fitting_pg_dump_nothing_is_changed() {
    for version in BOTH {
        let mut fleet = project(version, "missing");
        fleet.declare("mi-one = {}\nmi-two = {}");
        fleet.applies_and_settles();
        fleet.execute("INSERT INTO tenant_mi_one.users (email) VALUES ('kept')");
        fleet.declare("mi-two = { connection_limit = 3 }");
        let real = fleet.env.get("TENANTRY_PG_BINDIR").unwrap().clone();
        let old = programs(&fleet, "echo 'pg_dump (PostgreSQL) 13.4'");
        for (dir, said) in [("/nowhere", "no pg_dump was found"), (&old, "the newest pg_dump found is 13.4")] {
            fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir.into());
            let major = version.major();
            fleet
                .run(&REMOVE)
                .ends(1)
                .says(said)
                .says(&format!("postgresql-client-{major}"))
                .says("nothing was changed");
            assert_untouched(&fleet, "mi-one");
            assert_eq!(fleet.ask("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'mi_two_user'"), "-1");
            fleet.run(&["archive", "mi-one"]).ends(1).says(said);
        }
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), real);
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_directory_that_cannot_be_written_to_is_found_out_before() {
    let fleet = project(Version::Installed, "unwritable");
    fleet.declare("uw-one = {}");
    fleet.applies_and_settles();
    fleet.execute("INSERT INTO tenant_uw_one.users (email) VALUES ('kept')");
    std::fs::write(fleet.path("archives"), "a file").unwrap();
    fleet.declare("");
    fleet.run(&REMOVE).ends(1).says("creating the archive directory");
    std::fs::remove_file(fleet.path("archives")).unwrap();
    assert_untouched(&fleet, "uw-one");
}

/// In the place of pg_dump, once it is asked for a dump; `$REAL` is the real one.
fn instead_of_pg_dump(fleet: &mut Fleet, script: &str) {
    let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
    let dir =
        programs(fleet, &format!("REAL={real}/pg_dump; [ \"$1\" = --version ] && exec $REAL --version; {script}"));
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir);
}

/// In the place of pg_restore, with the real pg_dump.
pub fn instead_of_pg_restore(fleet: &mut Fleet, script: &str) {
    let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
    let dir = both_programs(fleet, &format!("exec {real}/pg_dump \"$@\""), script);
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir);
}

#[test]
fn a_pg_dump_that_fails_leaves_the_tenant_as_it_was() {
    let failures = [
        ("echo 'pg_dump: error: no such luck' >&2; exit 1", "pg_dump: error: no such luck", "-"),
        ("exec $REAL \"$@\" --file=/dev/full", "No space left on device", "free some space"),
        ("$REAL \"$@\" & kill -9 $!; kill -9 $$", "signal: 9", "it was killed, or the system ran out of memory"),
    ];
    for version in BOTH {
        let mut fleet = project(version, "failing_dump");
        let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
        fleet.declare("fd-one = {}");
        fleet.applies_and_settles();
        let rows = "CREATE TABLE tenant_fd_one.rows AS SELECT md5(n::text) FROM generate_series(1, 20000) n; \
                    ALTER TABLE tenant_fd_one.rows OWNER TO fd_one_owner; INSERT INTO tenant_fd_one.users (email) VALUES ('kept')";
        fleet.execute(rows);
        fleet.declare("");
        for (script, said, hint) in failures {
            fleet.env.insert("TENANTRY_PG_BINDIR".into(), real.clone());
            instead_of_pg_dump(&mut fleet, script);
            fleet.run(&REMOVE).ends(1).says("pg_dump of schema tenant_fd_one: ").says(said).says(hint);
            assert_untouched(&fleet, "fd-one");
        }
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), real);
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_disk_that_is_full_when_the_dump_is_written() {
    let fleet = project(Version::V18, "full_disk");
    fleet.declare("fu-one = {}");
    fleet.applies_and_settles();
    let rows = "CREATE TABLE tenant_fu_one.rows AS SELECT md5(n::text) FROM generate_series(1, 20000) n; \
                ALTER TABLE tenant_fu_one.rows OWNER TO fu_one_owner; INSERT INTO tenant_fu_one.users (email) VALUES ('kept')";
    fleet.execute(rows);
    let large = "SELECT lo_from_bytea(0, decode(repeat('00ff10', 1000000), 'hex'))";
    fleet.log_in("fu-one").batch_execute(large).unwrap();
    fleet.declare("");
    // In blocks of 512 bytes: in the middle of the dump; and after it, in the middle of the large objects.
    for (limit, doing) in [(64, "pg_dump of schema tenant_fu_one: "), (2048, "reading the large objects")] {
        let mut limited = fleet.program("sh");
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"");
        limited.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tenantry")]).args(REMOVE);
        let output = limited.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for words in [doing, "File too large", "point [archive] dir at another disk"] {
            assert!(said.contains(words), "{words:?} in {said}");
        }
        assert_untouched(&fleet, "fu-one");
    }
    fleet.run(&REMOVE).ends(0);
    fleet.settled();
}

#[test]
fn a_pg_dump_that_waits_for_a_server_that_is_gone_is_ended() {
    for version in BOTH {
        let mut fleet = project_of_few_locks(version, "gone");
        let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
        fleet.declare("go-one = {}");
        fleet.applies_and_settles();
        fleet.execute("INSERT INTO tenant_go_one.users (email) VALUES ('kept')");
        fleet.declare("");
        instead_of_pg_dump(&mut fleet, "touch at-work; exec sleep 600");
        let mut command = fleet.command(&REMOVE);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !fleet.path("at-work").exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "pg_dump was never started");
            std::thread::sleep(Duration::from_millis(20));
        }
        // A backend that is killed takes all sessions along; the server then starts itself anew.
        let crash = fleet.database.client().batch_execute("COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'");
        assert!(crash.is_err(), "the server is still there");
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("pg_dump of schema tenant_go_one was terminated, because our own session was"), "{said}");
        assert_untouched(&fleet, "go-one");
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), real);
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_removal_that_fails_once_more_lets_in_whom_the_first_left_locked_out() {
    for version in BOTH {
        let mut fleet = project(version, "twice");
        fleet.declare("tw-one = {}");
        fleet.applies_and_settles();
        fleet.execute("INSERT INTO tenant_tw_one.users (email) VALUES ('kept')");
        fleet.declare("");
        // As a run that was killed leaves it.
        fleet.execute("ALTER ROLE tw_one_user NOLOGIN");
        instead_of_pg_dump(&mut fleet, "exit 1");
        fleet.run(&REMOVE).ends(1).says("role tw_one_user could not log in before, and can again");
        assert_untouched(&fleet, "tw-one");
    }
}

#[test]
fn a_removal_that_is_committed_says_so_and_where_its_archive_is_though_its_secret_is_left() {
    for version in BOTH {
        let mut fleet = project(version, "left");
        fleet.declare("lf-one = {}");
        fleet.applies_and_settles();
        fleet.declare("");
        // Somebody writes the secret between the plan and the end.
        let secret = fleet.secret_file("lf-one");
        let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
        let write = format!("sed -i 's/\"version\": *[0-9]*/\"version\": 99/' {}", secret.display());
        let pg_dump = format!("[ \"$1\" = --version ] || {write}; exec {real}/pg_dump \"$@\"");
        let dir = both_programs(&fleet, &pg_dump, &format!("exec {real}/pg_restore \"$@\""));
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir);
        let run = fleet.run(&[&REMOVE[..], &["--format", "json"]].concat()).ends(1);
        let tenant = &run.json()["tenants"][0];
        assert_eq!(tenant["outcome"], "failed", "{tenant}");
        let message = tenant["error"]["message"].as_str().unwrap();
        assert!(message.contains("it is committed, but a later step failed: deleting the secret"), "{tenant}");
        assert!(tenant["error"]["hint"].as_str().unwrap().contains("the next apply deletes the secret"), "{tenant}");
        assert_eq!(manifests(&fleet)[0].0.file_name(), Path::new(tenant["archive"].as_str().unwrap()).file_name());
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_lf_one'"), "0");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert!(!secret.exists());
    }
}

/// 40001 once the archive is whole, as a serializable transaction may be told: the next try makes another.
#[test]
fn a_removal_that_is_tried_again_leaves_one_archive() {
    for version in BOTH {
        let fleet = project(version, "again");
        fleet.declare("ag-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "INSERT INTO tenant_ag_one.users (email) VALUES ('kept'); CREATE SCHEMA dba; CREATE SEQUENCE dba.asked;
             CREATE FUNCTION dba.refuses() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               IF pg_catalog.nextval('dba.asked') = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END IF; END $$;
             CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('DROP OWNED') EXECUTE FUNCTION dba.refuses()",
        );
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_no_deputy(&fleet);
        // The first try's, the deputy's that is dismissed after it, the second try's.
        assert!(fleet.ask("SELECT last_value FROM dba.asked").parse::<i32>().unwrap() >= 3, "it was tried twice");
        let archives = manifests(&fleet);
        assert_eq!(archives.len(), 1, "{archives:?}");
        fleet.execute("DROP EVENT TRIGGER refuses");
        fleet.declare("ag-one = {}");
        fleet.run(&["restore", "-y", archives[0].0.to_str().unwrap()]).ends(0);
        assert_eq!(ask(&mut fleet.log_in("ag-one"), "SELECT email FROM users"), "kept");
    }
}

/// Rolled back once the archive is whole: it stays, and whoever cleans up has to know of it.
#[test]
fn a_removal_that_fails_names_the_archive_that_it_leaves() {
    for version in BOTH {
        let fleet = project(version, "named");
        fleet.declare("na-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "CREATE SCHEMA dba; CREATE FUNCTION dba.refuses() RETURNS event_trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'not on a Friday'; END $$; \
             CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION dba.refuses()",
        );
        fleet.declare("");
        let run = fleet.run(&[&REMOVE[..], &["--format", "json"]].concat()).ends(1);
        let tenant = &run.json()["tenants"][0];
        let named = |archives: &[(std::path::PathBuf, serde_json::Value)]| {
            archives
                .iter()
                .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
                .collect::<Vec<_>>()
        };
        let first = named(&manifests(&fleet));
        assert_eq!(first.len(), 1, "{tenant}");
        assert!(tenant["error"]["message"].as_str().unwrap().contains("not on a Friday"), "{tenant}");
        assert!(tenant["archive"].as_str().unwrap().ends_with(&first[0]), "{tenant}");
        let second = fleet.run(&REMOVE).ends(1).says("(its removal failed, see above)");
        for name in named(&manifests(&fleet)).iter().filter(|name| !first.contains(name)) {
            assert!(second.stdout.contains(name), "{name} is not in {}", second.stdout);
        }
        fleet.execute("DROP EVENT TRIGGER refuses");
        fleet.run(&REMOVE).ends(0);
        // The one that the drop relied on is in the audit log.
        let last = named(&manifests(&fleet)).pop().unwrap();
        let audited = "SELECT c ->> 'after' FROM tenantry.audit_log, pg_catalog.jsonb_array_elements(changes) c \
                       WHERE tenant = 'na-one' AND c ->> 'kind' = 'archive'";
        assert_eq!(fleet.ask(audited), last);
        fleet.settled();
    }
}

/// The administrator is a superuser, whom the limit does not concern; what logs in for the tenant is none.
#[test]
fn a_database_without_connections_left_is_told_by_its_limit_and_not_by_pg_hba() {
    for version in BOTH {
        let fleet = project(version, "no_connections");
        fleet.declare("nc-one = {}");
        fleet.applies_and_settles();
        let database = &fleet.database.name;
        fleet.execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT 0"));
        let told =
            fleet.run(&["archive", "nc-one"]).ends(1).says("53300").says("the limit is the database's own").stderr;
        assert!(!told.contains("pg_hba"), "{told}");
        assert_no_deputy(&fleet);
        fleet.execute(&format!("ALTER DATABASE {database} CONNECTION LIMIT -1"));
        fleet.run(&["archive", "nc-one"]).ends(0);
    }
}
