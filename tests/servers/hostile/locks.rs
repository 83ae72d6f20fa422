//! Locks that a tenant takes without a right to what it locks, and those of others: who holds them is named, and ended if it is a tenant.

use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::fleet::{Admin, BOTH, Fleet, ask};
use crate::postgres_server::Version;

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];
const REMOVE_AND_END: [&str; 5] = ["apply", "-y", "--allow-removals", "9", "--end-blockers"];

fn pid(client: &mut postgres::Client) -> i32 {
    ask(client, "SELECT pg_backend_pid()").parse().unwrap()
}

/// A session of this tenant's that was refused what is not its own, and holds a lock on it nevertheless.
fn refused_and_locked(fleet: &Fleet, tenant: &str, relation: &str, try_it: &str) -> postgres::Client {
    let of = relation.replace(".projects", ".busy");
    let oid = fleet.ask(&format!("SELECT '{of}'::regclass::oid"));
    let mut client = fleet.log_in(tenant);
    client.batch_execute("SET application_name = 'a\"pp'; BEGIN; SAVEPOINT a").unwrap();
    // Refused, or answered, as the case may be: what counts is the lock.
    if client.batch_execute(&try_it.replace("OID", &oid)).is_err() {
        client.batch_execute("ROLLBACK TO a").unwrap();
    }
    let locked =
        format!("SELECT count(*) FROM pg_locks WHERE relation = '{relation}'::regclass AND pid = {}", pid(&mut client));
    assert_eq!(fleet.ask(&locked), "1", "{relation}");
    client
}

/// The sequence's ROW EXCLUSIVE outlives ROLLBACK TO, and pg_get_viewdef locks the tables of the view that it prints.
#[test]
fn a_lock_on_a_neighbours_relation_is_named_and_its_session_ended() {
    for (version, name) in BOTH.into_iter().zip(["lka", "lkb"]) {
        for (admin, kind) in [(Admin::Superuser, "s"), (Admin::Createrole, "c")] {
            let name = format!("{name}{kind}");
            let mut fleet = Fleet::under(admin, version, &name);
            fleet.head.push_str("[migrations]\nlock_timeout = \"400ms\"\n");
            let both = format!("{name}-one = {{}}\n{name}-two = {{}}");
            let only = format!("{name}-two = {{}}");
            for (relation, try_it) in [("tickets", "SELECT nextval(OID)"), ("projects", "SELECT pg_get_viewdef(OID)")] {
                fleet.declare(&both);
                fleet.applies_and_settles();
                let relation = format!("tenant_{name}_one.{relation}");
                let mut holder = refused_and_locked(&fleet, &format!("{name}-two"), &relation, try_it);
                let who = format!("PID {}, role {name}_two_user (tenant {name}-two)", pid(&mut holder));
                fleet.declare(&only);
                let run = fleet.run(&REMOVE).ends(1).says("55P03").says(&relation);
                let run = run.says("tenantry apply --end-blockers --allow-removals 9 --auto-approve");
                assert!(run.stdout.contains(&format!("; blocked by {who}, application \"a\\\"pp\"")), "{run:?}");
                assert!(run.stderr.contains(&format!("blocked by {who}")), "{run:?}");
                // What other roles' sessions do is shown to their members, and to a superuser.
                assert_eq!(run.stdout.contains("idle in transaction for "), admin == Admin::Superuser, "{run:?}");
                // Nothing was dropped, it is let in again, and the neighbour's session goes on.
                fleet.log_in(&format!("{name}-one"));
                holder.batch_execute("SAVEPOINT b").unwrap();
                fleet.run(&REMOVE_AND_END).ends(0).says(&format!("Ended: {who}")).says(&format!("blocked {name}-one"));
                assert!(holder.batch_execute("SELECT 1").is_err(), "it was ended");
                let audited = format!(
                    "SELECT count(*) FROM tenantry.audit_log WHERE tenant = '{name}-two' AND verb = 'end_blockers' AND changes::text LIKE '%{name}_two_user%'"
                );
                assert_ne!(fleet.ask(&audited), "0");
                fleet.settled();
            }
            assert_eq!(fleet.memberships(admin), "", "nothing is left of what ending took");
        }
    }
}

/// Neither a superuser's session nor a role's that is nobody's tenant.
#[test]
fn a_session_that_is_no_tenants_is_named_and_never_ended() {
    for (version, name) in BOTH.into_iter().zip(["lkd", "lke"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"400ms\"\nend_blockers = true\n");
        fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        fleet.execute(&format!(
            "CREATE ROLE {name}_dba LOGIN PASSWORD 'a'; GRANT USAGE ON SCHEMA tenant_{name}_one TO {name}_dba; \
             GRANT SELECT ON tenant_{name}_one.projects TO {name}_dba"
        ));
        fleet.migration("V3__add.sql", "ALTER TABLE projects ADD COLUMN name text;\n");
        let urls =
            [("postgres", fleet.database.url.clone()), ("dba", fleet.database.url_as(&format!("{name}_dba"), "a"))];
        for (role, url) in urls {
            let mut holder = postgres::Client::connect(&url, postgres::NoTls).unwrap();
            holder
                .batch_execute(&format!("BEGIN; LOCK TABLE tenant_{name}_one.projects IN ACCESS SHARE MODE"))
                .unwrap();
            let who = format!("blocked by PID {}, role ", pid(&mut holder));
            let run = fleet.try_apply().ends(1).says("55P03").says("V3__add.sql:1").says(&who).says(role);
            assert!(!run.stdout.contains("Ended:") && !run.stdout.contains("--end-blockers"), "{run:?}");
            holder.batch_execute("COMMIT").expect("it was not ended");
        }
        // By the key alone a tenant's is.
        let two = format!("{name}-two");
        let relation = format!("tenant_{name}_one.projects");
        let _neighbour = refused_and_locked(&fleet, &two, &relation, "SELECT pg_get_viewdef(OID)");
        fleet.execute(&format!("REVOKE ALL ON SCHEMA tenant_{name}_one FROM {name}_dba; DROP OWNED BY {name}_dba"));
        let run = fleet.run(&["apply", "-y", "--format", "json"]).ends(0);
        let ended = run.json()["tenants"][0]["ended_sessions"][0].as_str().unwrap().to_owned();
        assert!(ended.contains(&format!("role {name}_two_user (tenant {two})")), "{ended}");
        fleet.settled();
    }
}

/// From 16 on a role that somebody else made is not an admin's to take the rights of. The run goes on without, and says so.
#[test]
fn a_session_that_we_may_not_end_is_told_with_what_is_missing() {
    let (name, admin) = ("lks", Admin::Createrole);
    let mut fleet = Fleet::under(admin, Version::V18, name);
    fleet.head.push_str("[migrations]\nlock_timeout = \"400ms\"\n");
    fleet.declare("lks-one = {}\nlks-two = {}");
    fleet.applies_and_settles();
    let holder = refused_and_locked(&fleet, "lks-two", "tenant_lks_one.tickets", "SELECT nextval(OID)");
    let who = fleet.admin_name(admin);
    fleet.execute(&format!("REVOKE lks_two_user FROM {who}"));
    fleet.migration("V3__drop.sql", "DROP SEQUENCE tickets;\n");
    let end = ["apply", "-y", "--target", "lks-one", "--end-blockers"];
    let missing = format!("as a superuser: GRANT pg_signal_backend TO \"{who}\"");
    // Until 15 CREATEROLE alone gives the right.
    if Version::V18.major() >= 16 {
        let run = fleet.run(&end).ends(1).says("could not end PID").says("55P03");
        assert!(run.stdout.contains(&format!("hint: {missing}")) && !run.stdout.contains("--end-blockers"), "{run:?}");
        assert!(run.stderr.contains(&missing), "{run:?}");
        assert!(!holder.is_closed());
        fleet.execute(&format!("GRANT pg_signal_backend TO {who}"));
    }
    fleet.run(&end).ends(0).says("Ended: PID ");
}

/// Removing a trigger from the registry, and upgrading it, lock it against everybody: whoever watches reads nothing of it.
#[test]
fn a_lock_on_the_registry_is_named_and_its_session_ended() {
    for (version, name) in BOTH.into_iter().zip(["lkh", "lki"]) {
        for (admin, kind) in [(Admin::Superuser, "s"), (Admin::Createrole, "c")] {
            let name = format!("{name}{kind}");
            let mut fleet = Fleet::under(admin, version, &name);
            fleet.head.push_str("[migrations]\nlock_timeout = \"400ms\"\n");
            fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
            fleet.applies_and_settles();
            let trigger = format!(
                "CREATE FUNCTION {name}_planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
                 CREATE TRIGGER t BEFORE UPDATE ON tenantry.tenants FOR EACH ROW EXECUTE FUNCTION {name}_planted()"
            );
            let older = "DROP TABLE tenantry.vault_access; ALTER TABLE tenantry.tenants DROP COLUMN history_table, DROP COLUMN rotation, DROP COLUMN suspended, DROP COLUMN declared_by; \
                         DELETE FROM tenantry.refinery_schema_history WHERE version >= 11";
            for (ended, made) in (1..).zip([trigger.as_str(), older]) {
                fleet.execute(made);
                let two = format!("{name}-two");
                let mut holder = refused_and_locked(&fleet, &two, "tenantry.tenants", "SELECT nextval(OID)");
                let who = format!("blocked by PID {}, role {name}_two_user (tenant {two})", pid(&mut holder));
                let run = fleet.try_apply().ends(1).says("55P03").says("what tenants share: waiting");
                run.says(&who).says("apply --end-blockers --auto-approve").says("RowExclusiveLock on tenantry.tenants");
                holder.batch_execute("SAVEPOINT b").expect("it was not ended");
                let begun = Instant::now();
                fleet.run(&["apply", "-y", "--end-blockers"]).ends(0).says("what tenants share: ended PID ");
                assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
                assert!(holder.batch_execute("SELECT 1").is_err(), "it was ended");
                let audited = format!(
                    "SELECT count(*) FROM tenantry.audit_log WHERE tenant = '{two}' AND verb = 'end_blockers' AND changes::text LIKE '%what tenants share%'"
                );
                assert_eq!(fleet.ask(&audited), ended.to_string());
                fleet.settled();
            }
            assert_eq!(fleet.memberships(admin), "", "nothing is left of what ending took");
        }
    }
}

/// Changing its own password locks the row that NOLOGIN is to change.
#[test]
fn a_tenant_that_changes_its_own_role_does_not_hold_its_removal_up() {
    for (version, name) in BOTH.into_iter().zip(["lkp", "lkq"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"300ms\"\n");
        fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        let mut own = fleet.log_in(&format!("{name}-one"));
        own.batch_execute(&format!("BEGIN; ALTER ROLE {name}_one_user PASSWORD 'x'")).unwrap();
        fleet.declare(&format!("{name}-two = {{}}"));
        let begun = Instant::now();
        fleet.run(&REMOVE).ends(0);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        fleet.settled();
    }
}

const INDEX: &str = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY users_lower ON users (lower(email));\n";

/// An idle snapshot of `tenant`, which blocks nobody.
fn snapshot(fleet: &Fleet, tenant: &str) -> postgres::Client {
    let mut client = fleet.log_in(tenant);
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    client
}

fn start(fleet: &Fleet, args: &[&str]) -> Child {
    fleet.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).join("\n");
    (output.status.code(), text)
}

fn index_is_valid(fleet: &Fleet, name: &str) -> String {
    fleet.ask(&format!(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('tenant_{name}_one.users_lower')"
    ))
}

#[test]
fn what_is_done_concurrently_waits_for_an_old_snapshot_beyond_lock_timeout() {
    for (version, name) in BOTH.into_iter().zip(["lkx", "lky"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"1s\"\n");
        fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        fleet.migration("V3__index.sql", INDEX);
        let mut idle = snapshot(&fleet, &format!("{name}-two"));
        let who = format!("blocked by PID {}, role {name}_two_user (tenant {name}-two)", pid(&mut idle));
        let (ended, ending) = mpsc::channel();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_secs(6));
            idle.batch_execute("COMMIT").unwrap();
            ended.send(()).unwrap();
        });
        let (code, text) = end(start(&fleet, &["apply", "-y", "--target", &format!("{name}-one")]));
        assert_eq!(code, Some(0), "{text}");
        ending.try_recv().expect("it waited until the snapshot was gone");
        assert!(text.contains(&who) && text.contains("whose transaction must end first"), "{text}");
        holder.join().unwrap();
        assert_eq!(index_is_valid(&fleet, name), "t");
        fleet.applies_and_settles();

        // The lock on the table is one that others queue behind.
        fleet.migration("V4__drop.sql", "-- tenantry: no-transaction\nDROP INDEX CONCURRENTLY users_lower;\n");
        let mut table = fleet.database.client();
        table.batch_execute(&format!("BEGIN; LOCK TABLE tenant_{name}_one.users IN SHARE MODE")).unwrap();
        let begun = Instant::now();
        fleet
            .run(&["apply", "-y", "--target", &format!("{name}-one")])
            .ends(1)
            .says("55P03")
            .says("V4__drop.sql:2")
            .says(&format!("tenant_{name}_one.users"))
            .says("blocked by PID");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        table.batch_execute("COMMIT").unwrap();
        fleet.applies_and_settles();
        assert_eq!(index_is_valid(&fleet, name), "");
    }
}

#[test]
fn a_tenants_snapshot_is_ended_and_an_interrupt_ends_the_wait() {
    for (version, name) in BOTH.into_iter().zip(["lkm", "lkn"]) {
        let mut fleet = Fleet::under(Admin::Createrole, version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"1s\"\n");
        fleet.declare(&format!("{name}-one = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        fleet.migration("V3__index.sql", INDEX);
        let only = format!("{name}-one");
        let mut idle = snapshot(&fleet, &format!("{name}-two"));
        let ended = format!("Ended: PID {}", pid(&mut idle));
        let child = start(&fleet, &["apply", "-y", "--target", &only]);
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'virtualxid' AND NOT granted";
        let begun = Instant::now();
        while fleet.ask(waits) == "0" {
            assert!(begun.elapsed() < Duration::from_secs(30), "it never waited");
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_millis(1500));
        for _ in 0..2 {
            let status = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(status.success());
            thread::sleep(Duration::from_millis(200));
        }
        let (code, text) = end(child);
        assert_eq!(code, Some(130), "{text}");
        // It is committed but for its index, which is there and serves nobody.
        assert_eq!(index_is_valid(&fleet, name), "f");
        let (part, index) = (format!("but a part of {only} is committed"), "may have left an index that is invalid");
        assert!(text.contains(&part) && text.contains(index) && !text.contains("nothing was left half done"), "{text}");
        idle.batch_execute("SAVEPOINT b").expect("it was not ended");
        // What it left is dropped and made anew.
        fleet.run(&["apply", "-y", "--target", &only, "--end-blockers"]).ends(0).says(&ended);
        assert_eq!(index_is_valid(&fleet, name), "t");
        fleet.applies_and_settles();
    }
}

/// Advisory locks are limited by nothing but the room there is.
#[test]
fn who_crowds_the_lock_table_is_noted() {
    for (version, name) in BOTH.into_iter().zip(["lkv", "lkw"]) {
        let fleet = Fleet::usual(version, name);
        let tenant = format!("{name}-one");
        fleet.declare(&format!("{tenant} = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        let take = |client: &mut postgres::Client, n: i32| {
            let sql = format!("SELECT count(pg_advisory_lock_shared(n)) FROM generate_series(1, {n}) n");
            assert_eq!(ask(client, &sql), n.to_string());
        };
        let mut few = fleet.log_in(&format!("{name}-two"));
        take(&mut few, 900);
        let noted = fleet.run(&["list"]).ends(0);
        assert!(!noted.stderr.contains(&format!("{name}_two_user")), "{noted:?}");
        let mut many = fleet.log_in(&tenant);
        take(&mut many, 1500);
        let words = format!("role {name}_one_user (tenant {tenant}) holds 150");
        fleet.run(&["list"]).ends(0).says(&words).says("1500 of them advisory, in 1 session");
        fleet.run(&["verify"]).ends(0).says(&words);
        let listed = fleet.run(&["list", "--format", "json"]).json();
        assert!(listed[0]["locks"].as_i64().unwrap() >= 1500 && listed[1].get("locks").is_none(), "{listed}");
        let verified = fleet.run(&["verify", "--format", "json"]).json();
        assert_eq!(verified["many_locks"][0]["tenant"], *tenant, "{verified}");
        assert_eq!(verified["many_locks"][0]["advisory"], 1500, "{verified}");
    }
}
