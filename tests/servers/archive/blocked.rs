//! An archive or a restore that waits for somebody's lock says whose it is.

use super::project::{REMOVE, manifests, project, project_of_weak_admin};
use crate::fleet::{BOTH, Fleet, ask};

fn fleet_of(version: crate::postgres_server::Version, name: &str, weak: bool) -> Fleet {
    let mut fleet = if weak { project_of_weak_admin(version, name) } else { project(version, name) };
    fleet.head.push_str("[migrations]\nlock_timeout = \"1s\"\n");
    fleet
}

fn pid(client: &mut postgres::Client) -> String {
    ask(client, "SELECT pg_backend_pid()")
}

#[test]
fn whoever_keeps_an_archive_from_a_table_is_named_and_left_alone() {
    for version in BOTH {
        for (name, weak) in [("bl_super", false), ("bl_weak", true)] {
            let fleet = fleet_of(version, name, weak);
            let key = name.replace('_', "-");
            fleet.declare(&format!("{key} = {{ access = \"owner\" }}"));
            fleet.applies_and_settles();
            let mut holder = fleet.log_in(&key);
            holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
            let pid = pid(&mut holder);
            let who = format!("blocked by PID {pid}, role {name}_user (tenant {key})");
            let run = fleet.run(&["archive", &key]).ends(1).says(&format!("tenant_{name}"));
            assert_eq!(run.stderr.matches(&who).count(), 2, "while it waits, and at the end: {}", run.stderr);
            let held = format!("holding AccessExclusiveLock on tenant_{name}.users");
            let run = run.says(&held).says(&format!("wait for it, or end it: SELECT pg_terminate_backend({pid})"));
            assert!(!run.stderr.contains("--end-blockers"), "{}", run.stderr);
            holder.batch_execute("COMMIT").expect("it was not ended");
            fleet.run(&["archive", &key]).ends(0);
        }
    }
}

/// What pg_restore waits for it waits for without a limit of its own.
#[test]
fn whoever_keeps_a_restore_from_a_shared_table_is_named_and_ended_where_that_is_wanted() {
    for version in BOTH {
        for (name, weak) in [("br_super", false), ("br_weak", true)] {
            let fleet = fleet_of(version, name, weak);
            let (key, other) = (name.replace('_', "-"), format!("{}-other", name.replace('_', "-")));
            let (both, only) = (format!("{key} = {{}}\n{other} = {{}}"), format!("{other} = {{}}"));
            fleet.declare(&both);
            fleet.applies_and_settles();
            fleet.execute(
                "CREATE SCHEMA lookup; CREATE TABLE lookup.kinds (id int PRIMARY KEY); GRANT USAGE ON SCHEMA lookup TO PUBLIC; \
                 GRANT REFERENCES, SELECT, INSERT ON lookup.kinds TO PUBLIC",
            );
            fleet.log_in(&key).batch_execute("CREATE TABLE uses (kind int REFERENCES lookup.kinds)").unwrap();
            fleet.declare(&only);
            fleet.run(&REMOVE).ends(0);
            let (path, _) = manifests(&fleet).pop().unwrap();
            let mut holder = fleet.log_in(&other);
            holder.batch_execute("BEGIN; INSERT INTO lookup.kinds VALUES (1)").unwrap();
            let who = format!("PID {}, role {name}_other_user (tenant {other})", pid(&mut holder));
            fleet.declare(&both);
            let run = fleet.run(&["restore", "-y", "--end-blockers", path.to_str().unwrap()]).ends(0);
            let run = run.says(&format!("restore {key}: waiting")).says(&format!("blocked by {who}"));
            assert!(run.stderr.contains(&format!("restore {key}: ended {who}")), "{}", run.stderr);
            assert!(holder.batch_execute("SELECT 1").is_err(), "it was ended");
            let audited = format!(
                "SELECT count(*) FROM tenantry.audit_log WHERE tenant = '{other}' AND verb = 'end_blockers' AND changes::text LIKE '%blocked {key}%'"
            );
            assert_eq!(fleet.ask(&audited), "1");
            fleet.settled();
        }
    }
}
