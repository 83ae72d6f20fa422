//! A fleet whose tenants are archived when they go, with programs that fit its server.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use tenantry::sandbox::Server;

use crate::fleet::{Fleet, MIGRATIONS};
use crate::postgres_server::{TestDatabase, Version, binaries, database_on, pg_dump_dir};

pub const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

pub fn project(version: Version, name: &str) -> Fleet {
    project_on(version, Fleet::usual(version, name))
}

/// In a database that is made otherwise.
pub fn project_in(version: Version, database: TestDatabase) -> Fleet {
    let fleet = Fleet::on(database);
    MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
    project_on(version, fleet)
}

/// On a server of its own, which may be crashed, and whose lock table is small: room for 200 by its settings, and for some
/// more.
pub fn project_of_few_locks(version: Version, name: &str) -> Fleet {
    let server = Server::builder()
        .binaries(binaries(version))
        .durable()
        .setting("max_connections", "20")
        .setting("max_locks_per_transaction", "10")
        .start()
        .unwrap();
    let fleet = Fleet::on(database_on(server, name));
    MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
    project_on(version, fleet)
}

fn project_on(version: Version, mut fleet: Fleet) -> Fleet {
    fleet.head = "[defaults]\non_remove = \"archive\"\n".into();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), pg_dump_dir(version));
    fleet
}

/// The same under an admin who is no superuser.
pub fn project_of_weak_admin(version: Version, admin: &str) -> Fleet {
    under_weak_admin(project(version, admin), admin)
}

pub fn under_weak_admin(mut fleet: Fleet, admin: &str) -> Fleet {
    fleet.execute(&format!("CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD 'a'"));
    fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {admin}", fleet.database.name));
    fleet.url = fleet.database.url_as(admin, "a");
    fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
    fleet
}

/// The roles whose rights the admin has without asking for them.
#[track_caller]
pub fn assert_holds_nothing(fleet: &Fleet, admin: &str) {
    assert_eq!(fleet.held(admin), "");
}

/// The manifests in the archive directory, oldest first; every other file there belongs to one of them, and all that belongs
/// to one is there.
#[track_caller]
pub fn manifests(fleet: &Fleet) -> Vec<(PathBuf, Value)> {
    let Ok(entries) = fs::read_dir(fleet.path("archives")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let partial: Vec<_> = files.iter().filter(|path| name_of(path).starts_with('.')).collect();
    assert!(partial.is_empty(), "{partial:?}");
    let is_manifest = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let manifests: Vec<(PathBuf, Value)> =
        files.iter().filter(|path| is_manifest(path)).map(|path| (path.clone(), read(path))).collect();
    let others: Vec<&str> = files.iter().filter(|path| !is_manifest(path)).map(|path| name_of(path)).collect();
    let named = |manifest: &Value| [manifest["dump"]["file"].clone(), manifest["large_objects"]["file"].clone()];
    let mut named: Vec<Value> = manifests.iter().flat_map(|(_, manifest)| named(manifest)).collect();
    named.retain(|name| !name.is_null());
    named.sort_by_key(Value::to_string);
    assert_eq!(Value::from(named), Value::from(others), "the files beside the manifests");
    manifests
}

fn name_of(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
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
    fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0).says("its password is new");
    fleet.settled();
    assert_no_deputy(fleet);
    manifest
}
