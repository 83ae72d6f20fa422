//! Admins as real ones are: who become another role, have few connections, or a server that allows less than others.

use std::process::Command;
use std::sync::Arc;

use crate::fleet::{Admin, BOTH, Fleet};
use crate::postgres_server::{binaries, database_on, of_the_distribution};
use tenantry::sandbox::Server;

/// No role and no schema of theirs, nor ours.
#[track_caller]
fn nothing_was_changed(fleet: &Fleet, tenants: &str) {
    let made = format!(
        "SELECT rolname::text FROM pg_roles WHERE rolname ~ '^{tenants}_|^tenantry_{}' \
         UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^tenant'",
        fleet.database.name
    );
    assert_eq!(fleet.ask(&made), "");
}

#[test]
fn who_works_as_another_role_than_it_logged_in_as_applies_or_is_told_why_not() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "deploys");
        let (database, v) = (fleet.database.name.clone(), version.major());
        fleet.execute(&format!(
            "CREATE ROLE ops{v} CREATEROLE; CREATE ROLE deploy{v} LOGIN NOINHERIT PASSWORD 'a' IN ROLE ops{v}; \
             ALTER ROLE deploy{v} SET role = ops{v}; ALTER DATABASE {database} OWNER TO ops{v}; ALTER SCHEMA public OWNER TO ops{v}; \
             CREATE ROLE boss{v} SUPERUSER; CREATE ROLE intern{v} LOGIN NOINHERIT PASSWORD 'a' IN ROLE boss{v}; \
             ALTER ROLE intern{v} SET role = boss{v}"
        ));
        fleet.url = fleet.database.url_as(&format!("intern{v}"), "a");
        fleet.declare("de-one = {}\nde-two = {}\nde-three = {}");
        fleet.run(&["plan"]).ends(0);
        fleet
            .try_apply()
            .ends(1)
            .says(&format!("intern{v}, who is not a superuser, acts as the superuser boss{v}"))
            .says("nothing was changed");
        nothing_was_changed(&fleet, "de");
        fleet.url = fleet.database.url_as(&format!("deploy{v}"), "a");
        // One session does several tenants, and is ours again after each.
        fleet.run(&["apply", "-y", "--parallelism", "1"]).ends(0);
        fleet.settled();
        fleet.run(&["rotate", "-y", "de-two"]).ends(0);
        fleet
            .migration("V3__late.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY late ON users (email);");
        fleet.applies_and_settles();
        let other = fleet.database.target().connect_admin().unwrap();
        drop(other);
        fleet.declare("de-one = {}");
        fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.held(&format!("ops{v}")), "");
        // The holder of the lock is known for who it is, though it works as somebody else.
        let mut holder = crate::postgres_server::target(&fleet.url).connect_admin().unwrap();
        holder
            .batch_execute("SELECT pg_advisory_lock(('x' || encode('tenantry'::bytea, 'hex'))::bit(64)::bigint)")
            .unwrap();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(1).says(&format!("deploy{v} from"));
    }
}

#[test]
fn plpgsql_that_is_not_for_public_is_said_before_anything_is_changed() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let fleet = Fleet::under(admin, version, "plpgsql");
            fleet.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC");
            fleet.declare("pl-one = {}");
            fleet.run(&["plan"]).ends(0);
            fleet.try_apply().ends(1).says("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC").says("nothing was changed");
            nothing_was_changed(&fleet, "pl");
            fleet.execute("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC");
            fleet.applies_and_settles();
            fleet.execute("REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC");
            fleet.run(&["drift"]).ends(0);
            // Nothing is migrated; but our own DO blocks ask who holds the lock.
            fleet.run(&["rotate", "-y", "pl-one"]).ends(if admin == Admin::Superuser { 0 } else { 1 });
            fleet.execute("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC");
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        }
    }
}

/// A `check_password_hook` that wants to read passwords, as credcheck does. PostgreSQL's headers are not needed for it.
const HOOK: &str = r#"
#include <stdbool.h>
struct Magic { int len, version, funcmaxargs, indexmaxkeys, namedatalen, float8byval; char abi[32]; };
const struct Magic *Pg_magic_func(void) {
    static const struct Magic magic = { sizeof(struct Magic), 1500, 100, 32, 64, 1, "PostgreSQL" };
    return &magic;
}
typedef void (*hook)(const char *, const char *, int, unsigned long, bool);
extern hook check_password_hook;
extern bool errstart(int, const char *);
extern int errcode(int), errmsg(const char *, ...);
extern void errfinish(const char *, int, const char *);
static void refuse(const char *user, const char *password, int type, unsigned long until, bool forever) {
    /* PASSWORD_TYPE_PLAINTEXT is 0; 28000 in sixes, as MAKE_SQLSTATE has it. */
    if (type != 0 && errstart(21, 0)) {
        errcode(2 + (8 << 6));
        errmsg("password type is not a plain text");
        errfinish(__FILE__, __LINE__, __func__);
    }
}
void _PG_init(void) { check_password_hook = refuse; }
"#;

#[test]
fn a_module_that_refuses_verifiers_is_met_before_anything_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (source, module) = (dir.path().join("hook.c"), dir.path().join("hook.so"));
    std::fs::write(&source, HOOK).unwrap();
    // Who builds Rust has a linker by this name.
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&module).arg(&source).status().unwrap();
    assert!(built.success());
    let readable = Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()).status().unwrap();
    assert!(readable.success());
    let server = Server::builder()
        .binaries(of_the_distribution())
        .setting("session_preload_libraries", &module.display().to_string())
        .start()
        .unwrap();
    let fleet = Fleet::usual_on(Admin::Createrole, database_without_password(server.into()));
    // PostgreSQL's own takes verifiers; it can only see that one is not of the username.
    let off =
        format!("ALTER ROLE {} SET session_preload_libraries = 'passwordcheck'", fleet.admin_name(Admin::Createrole));
    fleet.declare("vr-one = {}");
    fleet
        .try_apply()
        .ends(1)
        .says("password type is not a plain text")
        .says("nothing was changed")
        .says("allow verifiers");
    nothing_was_changed(&fleet, "vr");
    assert!(!fleet.secret_file("vr-one").exists());
    fleet.execute(&off);
    fleet.applies_and_settles();
    fleet.execute(&off.replace("SET session_preload_libraries = 'passwordcheck'", "RESET session_preload_libraries"));
    fleet
        .run(&["rotate", "-y", "vr-one"])
        .ends(1)
        .says("password type is not a plain text")
        .says("nothing was changed");
    fleet.settled();
}

fn database_without_password(server: Arc<Server>) -> crate::postgres_server::TestDatabase {
    database_on(server, "hooks")
}

#[test]
fn tenants_are_all_done_on_as_many_connections_as_there_are() {
    for version in BOTH {
        let server = Server::builder().binaries(binaries(version)).setting("max_connections", "100").start().unwrap();
        let mut fleet = Fleet::usual_on(Admin::Createrole, database_on(server, "few"));
        let admin = fleet.admin_name(Admin::Createrole);
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), crate::postgres_server::pg_dump_dir(version));
        let eight = (1..=8).map(|n| format!("fw-{n} = {{}}\n")).collect::<String>();
        let apply = ["apply", "-y", "--parallelism", "8", "--allow-removals", "8"];
        for (limit, of) in [
            (format!("ALTER ROLE {admin} CONNECTION LIMIT"), "role"),
            (format!("ALTER DATABASE {} CONNECTION LIMIT", fleet.database.name), "database"),
        ] {
            fleet.declare(&eight);
            // The lock's session, and one that works.
            fleet.execute(&format!("{limit} 2"));
            fleet.run(&apply).ends(0).says("Apply: 8 applied");
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
            fleet.execute(&format!("{limit} 1"));
            fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
            fleet.run(&apply).ends(1).says(&format!("the limit is the {of}'s own")).says("CONNECTION LIMIT");
            std::fs::remove_file(fleet.path("migrations/V3__more.sql")).unwrap();
            // A removal looks from outside too, on a third.
            fleet.execute(&format!("{limit} 3"));
            fleet.declare("");
            fleet.run(&apply).ends(0).says("Apply: 8 applied");
            fleet.execute(&format!("{limit} -1"));
            fleet.settled();
        }
    }
}
