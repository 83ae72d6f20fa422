use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::core::model::{SecretFields, SslMode};

fn secret(password: &str) -> Secret {
    let fields = SecretFields {
        username: "acme_user".into(),
        schema: "tenant_acme".into(),
        host: "h".into(),
        port: 5432,
        database: "app".into(),
        sslmode: Some(SslMode::Disable),
    };
    Secret::new("acme", fields, password.into())
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn store() -> (tempfile::TempDir, FileStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::new(dir.path().join("secrets"));
    (dir, store)
}

#[test]
fn what_is_written_is_read_and_says_whose_it_is() {
    let (_dir, store) = store();
    store.preflight().unwrap();
    assert!(matches!(store.read("tenants/acme").unwrap(), Found::Absent));
    let head = store.write("tenants/acme", &secret("one"), None).unwrap();
    assert_eq!((head.version.as_str(), head.managed_by.as_deref()), ("1", Some("tenantry")));
    assert_eq!((head.tenant.as_deref(), head.database.as_deref()), (Some("acme"), Some("app")));
    let Found::Readable(read, found) = store.read("tenants/acme").unwrap() else { panic!() };
    assert!(found.same_as(&secret("one")));
    assert_eq!(read.version, head.version);
    assert!(read.created.is_some());
    let heads = store.heads(&["tenants/acme".into(), "tenants/none".into()]).unwrap();
    assert_eq!(heads.keys().collect::<Vec<_>>(), ["tenants/acme"]);
    assert!(store.locate("tenants/acme").ends_with("secrets/tenants/acme.json"));
}

#[test]
fn a_write_replaces_only_the_version_it_expects() {
    let (_dir, store) = store();
    store.write("acme", &secret("one"), None).unwrap();
    for stale in [None, Some("0"), Some("2")] {
        let error = store.write("acme", &secret("two"), stale).unwrap_err();
        assert!(matches!(error, SecretError::CheckAndSet { .. }), "{error}");
    }
    let head = store.write("acme", &secret("two"), Some("1")).unwrap();
    assert_eq!(head.version, "2");
    assert!(matches!(store.write("b", &secret("x"), Some("1")), Err(SecretError::CheckAndSet { found: None, .. })));
}

#[test]
fn of_many_writers_at_once_exactly_one_wins() {
    let (_dir, store) = store();
    store.write("acme", &secret("start"), None).unwrap();
    let won = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let (won, store) = (&won, &store);
            scope.spawn(move || match store.write("acme", &secret(&writer.to_string()), Some("1")) {
                Ok(_) => _ = won.fetch_add(1, Ordering::SeqCst),
                Err(error) => assert!(matches!(error, SecretError::CheckAndSet { .. }), "{error}"),
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn files_and_directories_are_the_owners_alone() {
    let (_dir, store) = store();
    store.write("tenants/acme", &secret("one"), None).unwrap();
    let file = store.dir.join("tenants/acme.json");
    assert_eq!((mode(&store.dir), mode(file.parent().unwrap()), mode(&file)), (0o700, 0o700, 0o600));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    store.write("tenants/acme", &secret("two"), Some("1")).unwrap();
    assert_eq!(mode(&file), 0o600, "a write closes what was open");
}

#[test]
fn no_path_leads_out_of_the_directory() {
    let (dir, store) = store();
    store.write("tenants/acme", &secret("one"), None).unwrap();
    for path in ["../x", "/etc/x", "a/../../x", "a//b", "", ".", "a/", "a\\b", "a\0b"] {
        let error = store.write(path, &secret("x"), None).unwrap_err();
        assert!(matches!(error, SecretError::BadPath { .. }), "{path:?}: {error}");
    }
    symlink(dir.path(), store.dir.join("linked")).unwrap();
    symlink("/etc/hostname", store.dir.join("tenants/link.json")).unwrap();
    for path in ["linked/x", "tenants/link"] {
        assert!(matches!(store.write(path, &secret("x"), None), Err(SecretError::BadPath { .. })), "{path}");
        let Found::Foreign { reason, .. } = store.read(path).unwrap() else { panic!("{path}") };
        assert_eq!(reason, "it goes through a symbolic link", "{path}");
    }
}

#[test]
fn somebody_elses_file_is_foreign_and_never_overwritten() {
    let (_dir, store) = store();
    fs::create_dir_all(&store.dir).unwrap();
    for (text, why) in [("hunter2", "not a JSON document"), (r#"{"api_key":"hunter2"}"#, "\"tenant\" is missing")] {
        fs::write(store.dir.join("acme.json"), text).unwrap();
        let Found::Foreign { head, reason } = store.read("acme").unwrap() else { panic!() };
        assert!(reason.contains(why), "{reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
        assert_eq!((head.version.as_str(), head.managed_by), ("0", None));
        assert!(matches!(store.write("acme", &secret("x"), None), Err(SecretError::CheckAndSet { .. })));
    }
}

#[test]
fn what_is_no_file_is_foreign_and_holds_nobody_up() {
    let (_dir, store) = store();
    fs::create_dir_all(store.dir.join("directory.json")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(store.dir.join("pipe.json")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(store.dir.join("socket.json")).unwrap();
    for path in ["directory", "pipe", "socket"] {
        let Found::Foreign { reason, .. } = store.read(path).unwrap() else { panic!("{path}") };
        assert_eq!(reason, "it is not a regular file", "{path}");
        assert_eq!(store.heads(&[path.to_owned()]).unwrap()[path].managed_by, None);
        assert!(matches!(store.write(path, &secret("x"), None), Err(SecretError::CheckAndSet { .. })), "{path}");
    }
}

#[test]
fn deleting_respects_the_version_and_does_not_mind_what_is_gone() {
    let (_dir, store) = store();
    store.delete("acme", Some("1")).unwrap();
    store.write("acme", &secret("one"), None).unwrap();
    assert!(matches!(store.delete("acme", Some("7")), Err(SecretError::CheckAndSet { .. })));
    store.delete("acme", Some("1")).unwrap();
    store.delete("acme", None).unwrap();
    assert!(matches!(store.read("acme").unwrap(), Found::Absent));
}

#[test]
fn preflight_makes_nothing_and_says_what_is_in_the_way() {
    let (dir, store) = store();
    store.preflight().unwrap();
    assert!(!store.dir.exists());
    let blocked = dir.path().join("file");
    fs::write(&blocked, "").unwrap();
    let error = FileStore::new(blocked.join("secrets")).preflight().unwrap_err();
    assert!(error.to_string().contains("use as a directory"), "{error}");
}
