//! A fleet whose tenants are archived when they go, with programs that fit its server.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::fleet::Fleet;
use crate::postgres_server::{Version, binaries, client_program};

pub const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

pub fn project(version: Version, name: &str) -> Fleet {
    let mut fleet = Fleet::usual(version, name);
    fleet.head = "[defaults]\non_remove = \"archive\"\n".into();
    // The servers of some versions come without pg_dump; the newest one serves them too.
    let own = binaries(version).program("pg_dump");
    let pg_dump = if own.is_file() { own } else { client_program("pg_dump") };
    let dir = pg_dump.parent().unwrap().to_string_lossy().into_owned();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir);
    fleet
}

/// The same under an admin who is no superuser.
pub fn project_of_weak_admin(version: Version, admin: &str) -> Fleet {
    let mut fleet = project(version, admin);
    fleet.execute(&format!("CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD 'a'"));
    fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {admin}", fleet.database.name));
    fleet.url = fleet.database.url_as(admin, "a");
    fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
    fleet
}

/// The roles whose rights the admin has without asking for them.
#[track_caller]
pub fn assert_holds_nothing(fleet: &Fleet, admin: &str) {
    let held = fleet.ask(&format!(
        "SELECT roleid::regrole FROM pg_auth_members m WHERE member = '{admin}'::regrole \
         AND (coalesce((to_jsonb(m) ->> 'set_option')::bool, true) OR coalesce((to_jsonb(m) ->> 'inherit_option')::bool, true))"
    ));
    assert_eq!(held, "");
}

/// The manifests in the archive directory, oldest first; every other file there belongs to one of them.
#[track_caller]
pub fn manifests(fleet: &Fleet) -> Vec<(PathBuf, Value)> {
    let Ok(entries) = fs::read_dir(fleet.path("archives")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let is_manifest = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let manifests: Vec<(PathBuf, Value)> =
        files.iter().filter(|path| is_manifest(path)).map(|path| (path.clone(), read(path))).collect();
    for file in files.iter().filter(|path| !is_manifest(path)) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let named = |manifest: &Value| manifest["dump"]["file"] == name || manifest["large_objects"]["file"] == name;
        assert!(manifests.iter().any(|(_, manifest)| named(manifest)), "{name} belongs to no archive");
    }
    manifests
}

/// No role of an archive's or a restore's own is left.
#[track_caller]
pub fn assert_no_deputy(fleet: &Fleet) {
    let deputies = "SELECT member::regrole FROM pg_auth_members WHERE member::regrole::text ~ '^tenantry_deputy' \
                    AND roleid::regrole::text = 'tenantry_' || current_database() || '_tenants'";
    assert_eq!(fleet.ask(deputies), "");
}

/// Neither role nor schema of it, whose usual names begin so.
#[track_caller]
pub fn assert_gone(fleet: &Fleet, name: &str) {
    let sql = format!(
        "SELECT rolname FROM pg_roles WHERE rolname IN ('{name}_user', '{name}_owner') \
         UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'tenant_{name}' \
         UNION ALL SELECT tenant FROM tenantry.tenants WHERE username = '{name}_user'"
    );
    assert_eq!(fleet.ask(&sql), "");
}

/// Removed, declared again, restored; returns what stood in the one archive.
#[track_caller]
pub fn there_and_back(fleet: &Fleet, declared: &str, others: &str) -> serde_json::Value {
    fleet.declare(others);
    fleet.run(&REMOVE).ends(0);
    fleet.settled();
    let (path, manifest) = manifests(fleet).pop().unwrap();
    fleet.declare(&format!("{declared}\n{others}"));
    fleet.run(&["restore", path.to_str().unwrap()]).ends(0).says("its password is new");
    fleet.settled();
    assert_no_deputy(fleet);
    manifest
}
