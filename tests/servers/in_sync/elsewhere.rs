//! A dump restored into a new cluster: another system identifier, other OIDs.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use tenantry::sandbox::Server;

use crate::fleet::{Admin, BOTH, Fleet, ask};
use crate::postgres_server::{TestDatabase, Version, binaries, client_program, database_on};

/// A server of this test's own: roles are dumped, and there must be no others.
fn alone(version: Version) -> Arc<Server> {
    Arc::new(Server::builder().binaries(binaries(version)).start().unwrap())
}

/// What is dumped of the roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Passwords {
    Kept,
    /// `pg_dumpall --no-role-passwords`, as those have to dump who may not read pg_authid.
    Left,
}

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(client_program(program)).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The fleet's database and the roles, in a new cluster of this version. Its superuser has the new server's password.
fn restore(fleet: &Fleet, version: Version, passwords: Passwords) -> TestDatabase {
    let (old, new) = (&fleet.database.server, alone(version));
    let from = format!("--dbname={}", old.admin_url());
    let mut roles = vec!["--roles-only", &from];
    roles.extend((passwords == Passwords::Left).then_some("--no-role-passwords"));
    // The superuser is there already.
    let roles = output("pg_dumpall", &roles);
    let roles: String =
        roles.lines().filter(|line| !line.contains(" ROLE postgres")).map(|line| format!("{line}\n")).collect();
    let database = output("pg_dump", &["--create", &fleet.database.url]);
    // A newer pg_dump says what older servers do not know.
    let database = if version.major() < 15 { database.replace(" LOCALE_PROVIDER = libc", "") } else { database };
    let known = |line: &&str| version.major() >= 17 || !line.starts_with("SET transaction_timeout");
    let database: String = database.lines().filter(known).map(|line| format!("{line}\n")).collect();
    let file = fleet.path("dump.sql");
    std::fs::write(&file, format!("{roles}\n{database}")).unwrap();
    let file = file.display().to_string();
    output("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &file, &new.admin_url()]);
    let name = fleet.database.name.clone();
    TestDatabase { url: new.url(&name, "postgres", new.password()), name, server: new }
}

const TENANTS: &str = "el-full = { settings = { work_mem = \"16384kB\" }, connection_limit = 5 }\n\
     el-own = { access = \"owner\" }\nel-rw = { access = \"readwrite\", owner = \"el shared\" }\n\
     el-ro = { access = \"readonly\", owner = \"el shared\" }\nel-given = { password_from = \"a given password\", schema = \"El Given\" }";

pub fn restored(admin: Admin) {
    let newest = BOTH[1];
    one(admin, newest, newest, Passwords::Kept);
    one(admin, newest, newest, Passwords::Left);
    if BOTH[0] != newest {
        one(admin, BOTH[0], newest, Passwords::Kept);
    }
}

fn one(admin: Admin, from: Version, to: Version, passwords: Passwords) {
    let mut fleet = Fleet::usual_on(admin, database_on(alone(from), "elsewhere"));
    fleet.head = "[database]\npublic_schema = \"keep\"\nshared_schemas = [\"lookup\"]\nextensions = [\"pg_trgm\"]\n\
         advertise = { host = \"db.internal\" , port = 5432 }\n[defaults]\non_remove = \"drop\"\n"
        .into();
    fleet.declare(TENANTS);
    fleet.apply();
    let before = fleet.memberships(admin);
    fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
    let secret = fleet.secret("el-full");
    fleet.database = restore(&fleet, to, passwords);
    let admin_name = fleet.admin_name(admin);
    fleet.url = match admin {
        Admin::Superuser => fleet.database.url.clone(),
        Admin::Createrole => {
            fleet.execute(&format!("ALTER ROLE {admin_name} PASSWORD 'a'"));
            fleet.database.url_as(&admin_name, "a")
        }
    };
    let words = format!("{admin:?}, {from:?} to {to:?}, passwords {passwords:?}");
    let log_in = |tenant: &str| {
        let secret = fleet.secret(tenant);
        let word = |key: &str| secret[key].as_str().unwrap().to_owned();
        postgres::Client::connect(&fleet.database.url_as(&word("username"), &word("password")), postgres::NoTls)
    };
    // Whether a role has a password is for a superuser to see.
    let healed = admin == Admin::Superuser && passwords == Passwords::Left;
    // What access "full" has of every table, and PostgreSQL up to 16 does not have.
    let gets_maintain = from.major() < 17 && to.major() >= 17;
    let mut expected = BTreeSet::new();
    expected.extend(healed.then_some("set_password"));
    if gets_maintain {
        expected.extend(["default_privileges", "grant_objects"]);
        expected.extend((admin == Admin::Createrole).then_some("borrow_rights"));
        expected.extend((admin == Admin::Createrole).then_some("return_rights"));
    }
    let plan = fleet.run(&["drift", "--format", "json"]).ends(2).json();
    let hazards: Vec<&str> =
        plan["hazards"].as_array().unwrap().iter().map(|hazard| hazard["kind"].as_str().unwrap()).collect();
    assert!(hazards.contains(&"another_cluster"), "{words}: {hazards:?}");
    let changes = plan["tenants"].as_array().unwrap().iter().flat_map(|tenant| tenant["changes"].as_array().unwrap());
    let kinds: BTreeSet<&str> = changes.map(|change| change["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, expected, "{words}");
    assert_eq!(plan["database_changes"].as_array().unwrap().len(), 0, "{words}");
    if admin == Admin::Createrole && gets_maintain {
        // Up to 15 it needed no ADMIN OPTION, and the dump has none.
        fleet
            .run(&["apply", "-y", "--moved"])
            .ends(1)
            .says("lacks ADMIN on el_full_owner, el_full_user, el_given_owner, el_given_user");
        fleet.execute(&format!(
            "GRANT el_full_owner, el_full_user, el_given_owner, el_given_user TO {admin_name} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE"
        ));
    }
    fleet.run(&["apply", "-y", "--moved"]).ends(0);
    fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
    let now = fleet.secret("el-full");
    assert_eq!(now["url"], secret["url"], "{words}: a password that is known stays");
    assert_eq!(now["version"], secret["version"], "{words}");
    assert_ne!(now["fleet"], secret["fleet"], "{words}");
    let works = passwords == Passwords::Kept || healed;
    for tenant in ["el-full", "el-own", "el-rw", "el-ro", "el-given"] {
        assert_eq!(log_in(tenant).is_ok(), works, "{words}: {tenant}");
    }
    assert_eq!(fleet.memberships(admin), before, "{words}");
    registry_is_at_home(&fleet, &words);
}

/// From the apply on that was told that it has moved, the registry knows its schemas and a copy of its database for what they are.
fn registry_is_at_home(fleet: &Fleet, words: &str) {
    let sql = "SELECT count(*) FROM tenantry.tenants t JOIN pg_namespace n ON n.nspname = t.schema_name WHERE n.oid = t.schema_oid";
    assert_eq!(fleet.ask(sql), "5", "{words}");
    let server = &fleet.database.server;
    let mut client = postgres::Client::connect(&server.admin_url(), postgres::NoTls).unwrap();
    let name = &fleet.database.name;
    client.batch_execute(&format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).unwrap();
    assert_eq!(
        ask(&mut client, &format!("SELECT datname FROM pg_database WHERE datname = '{name}_copy'")),
        format!("{name}_copy")
    );
    let url = server.url(&format!("{name}_copy"), "postgres", server.password());
    fleet.run(&["plan", "--database-url", &url]).ends(1).says("is a copy of");
}
