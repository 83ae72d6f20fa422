//! The Vault store against a real OpenBao.
#![cfg(feature = "engine")]

mod login;
mod outage;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::openbao::OpenBao;
use serde_json::{Value, json};
use tenantry::model::secret::Secret;
use tenantry::model::vault::{VaultAuth, VaultConfig, VaultSettings};
use tenantry::model::{SecretFields, SslMode};
use tenantry::secrets::{Found, SecretError, SecretStore, VaultStore, open_vault};
use tenantry::unguarded::WritableStore;

/// One server for all tests that do not break it; each has mounts of its own there.
fn server() -> &'static OpenBao {
    static SERVER: OnceLock<OpenBao> = OnceLock::new();
    SERVER.get_or_init(OpenBao::dev)
}

fn unique(prefix: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{prefix}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A new mount, with a slash in its name.
fn mount(version: u8) -> String {
    let mount = format!("kv/{}", unique("m"));
    let body = json!({"type": "kv", "options": {"version": version.to_string()}});
    server().api("POST", &format!("sys/mounts/{mount}"), body);
    if version == 2 {
        // The engine answers 400 for a moment while it upgrades itself.
        let probe = || server().try_api("GET", &format!("{mount}/config"), &Value::Null);
        while probe().is_none_or(|(status, _)| status != 200) {}
    }
    mount
}

fn settings(server: &OpenBao, mount: &str, auth: VaultAuth) -> VaultSettings {
    let config = VaultConfig {
        address: Some(server.address.clone()),
        mount: Some(mount.to_owned()),
        auth: Some(auth),
        ..VaultConfig::default()
    };
    config.resolve(&|_| None)
}

fn token(token: &str) -> VaultAuth {
    VaultAuth::Token { token: Some(token.into()) }
}

fn store(mount: &str) -> VaultStore {
    store_with(mount, &server().token)
}

fn store_with(mount: &str, with: &str) -> VaultStore {
    open_vault(settings(server(), mount, token(with))).unwrap()
}

fn secret(tenant: &str, password: &str) -> Secret {
    let (username, schema) = (format!("{tenant}_user"), format!("tenant_{tenant}"));
    let (host, database) = ("db.internal".into(), "app".into());
    let fields = SecretFields { username, schema, host, port: 5432, database, sslmode: Some(SslMode::Require) };
    Secret::new(tenant, fields, password.into())
}

fn readable(found: Found) -> (tenantry::model::secret::SecretHead, Secret) {
    match found {
        Found::Readable(head, secret) => (head, secret),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_written_is_read_and_its_metadata_says_whose_it_is() {
    let mount = mount(2);
    let store = store(&mount);
    store.preflight().unwrap();
    assert!(matches!(store.read("tenants/acme").unwrap(), Found::Absent));
    let written = store.write("tenants/acme", &secret("acme", "p\"ä/1"), None).unwrap();
    let (head, found) = readable(store.read("tenants/acme").unwrap());
    assert!(found.same_as(&secret("acme", "p\"ä/1")));
    assert_eq!(head, written);
    assert_eq!(head.version, "1");
    assert!(head.created.is_some());
    let whose = (head.managed_by.as_deref(), head.tenant.as_deref(), head.database.as_deref());
    assert_eq!(whose, (Some("tenantry"), Some("acme"), Some("app")));
    let metadata = server().api("GET", &format!("{mount}/metadata/tenants/acme"), Value::Null);
    let promised = json!({"managed_by": "tenantry", "tenant": "acme", "database": "app"});
    assert_eq!(metadata["data"]["custom_metadata"], promised);
    assert_eq!(store.locate("tenants/acme"), format!("vault {} {mount}/tenants/acme", server().address));
}

#[test]
fn a_rotation_makes_a_new_version_and_keeps_what_others_noted() {
    let mount = mount(2);
    let store = store(&mount);
    store.write("tenants/acme", &secret("acme", "one"), None).unwrap();
    let noted = json!({"managed_by": "tenantry", "tenant": "acme", "database": "old", "team": "blue"});
    let path = format!("{mount}/metadata/tenants/acme");
    server().api("POST", &path, json!({ "custom_metadata": noted }));
    let head = store.write("tenants/acme", &secret("acme", "two"), Some("1")).unwrap();
    assert_eq!((head.version.as_str(), head.database.as_deref()), ("2", Some("app")));
    let metadata = server().api("GET", &path, Value::Null);
    let expected = json!({"managed_by": "tenantry", "tenant": "acme", "database": "app", "team": "blue"});
    assert_eq!(metadata["data"]["custom_metadata"], expected);
}

#[test]
fn a_write_that_expects_another_version_fails_and_changes_nothing() {
    for version in [1, 2] {
        let store = store(&mount(version));
        store.write("acme", &secret("acme", "one"), None).unwrap();
        store.write("acme", &secret("acme", "two"), Some("1")).unwrap();
        for stale in [None, Some("1"), Some("3"), Some("nonsense")] {
            let error = store.write("acme", &secret("acme", "three"), stale).unwrap_err();
            let SecretError::CheckAndSet { found, .. } = &error else { panic!("KV {version}: {error:?}") };
            assert_eq!(found.as_deref(), Some("2"));
        }
        let error = store.write("none", &secret("none", "x"), Some("1")).unwrap_err();
        assert!(matches!(error, SecretError::CheckAndSet { found: None, .. }), "KV {version}: {error:?}");
        let (head, found) = readable(store.read("acme").unwrap());
        assert!(found.same_as(&secret("acme", "two")));
        assert_eq!(head.version, "2");
    }
}

#[test]
fn of_many_writers_at_once_exactly_one_wins() {
    let store = store(&mount(2));
    store.write("acme", &secret("acme", "start"), None).unwrap();
    let won = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let (won, store) = (&won, &store);
            scope.spawn(move || match store.write("acme", &secret("acme", &format!("w{writer}")), Some("1")) {
                Ok(_) => _ = won.fetch_add(1, Ordering::SeqCst),
                Err(error) => assert!(matches!(error, SecretError::CheckAndSet { .. }), "{error:?}"),
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn a_soft_deleted_a_destroyed_and_an_empty_secret_are_absent_and_can_be_written_anew() {
    let mount = mount(2);
    let store = store(&mount);
    let paths = ["deleted", "destroyed", "empty"].map(str::to_owned);
    for path in &paths[..2] {
        store.write(path, &secret("acme", "one"), None).unwrap();
        store.write(path, &secret("acme", "two"), Some("1")).unwrap();
    }
    server().api("DELETE", &format!("{mount}/data/deleted"), Value::Null);
    server().api("PUT", &format!("{mount}/destroy/destroyed"), json!({"versions": [2]}));
    server().api("POST", &format!("{mount}/metadata/empty"), json!({"custom_metadata": {"a": "b"}}));
    assert_eq!(store.heads(&paths).unwrap().len(), 0);
    for (path, next) in paths.iter().zip(["3", "3", "1"]) {
        assert!(matches!(store.read(path).unwrap(), Found::Absent), "{path}");
        let error = store.write(path, &secret("acme", "x"), Some("2")).unwrap_err();
        assert!(matches!(error, SecretError::CheckAndSet { found: None, .. }), "{path}: {error:?}");
        assert_eq!(store.write(path, &secret("acme", "new"), None).unwrap().version, next, "{path}");
    }
}

#[test]
fn a_version_that_will_be_deleted_later_is_alive_until_then() {
    let mount = mount(2);
    let store = store(&mount);
    store.write("acme", &secret("acme", "one"), None).unwrap();
    let later =
        |after: &str| server().api("POST", &format!("{mount}/metadata/acme"), json!({"delete_version_after": after}));
    later("1h");
    assert_eq!(store.write("acme", &secret("acme", "two"), Some("1")).unwrap().version, "2");
    assert!(store.heads(&["acme".into()]).unwrap().contains_key("acme"));
    later("1s");
    assert_eq!(store.write("acme", &secret("acme", "three"), Some("2")).unwrap().version, "3");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(store.heads(&["acme".into()]).unwrap().is_empty());
    assert!(matches!(store.read("acme").unwrap(), Found::Absent));
}

#[test]
fn a_write_cut_off_before_its_metadata_still_says_whose_it_is() {
    let mount = mount(2);
    let store = store(&mount);
    let data = Value::Object(secret("acme", "one").to_json());
    server().api("POST", &format!("{mount}/data/tenants/acme"), json!({ "data": data }));
    let heads = store.heads(&["tenants/acme".into()]).unwrap();
    let (read, _) = readable(store.read("tenants/acme").unwrap());
    for head in [&heads["tenants/acme"], &read] {
        assert_eq!((head.tenant.as_deref(), head.database.as_deref()), (Some("acme"), Some("app")));
        assert_eq!(head.managed_by, None);
    }
    let head = store.write("tenants/acme", &secret("acme", "one"), Some("1")).unwrap();
    assert_eq!(head.managed_by.as_deref(), Some("tenantry"));
}

#[test]
fn all_ways_of_reading_heads_agree() {
    let mount = mount(2);
    let root = store(&mount);
    let folder = |n: usize| if n.is_multiple_of(2) { "eu/tenants" } else { "us" };
    let paths: Vec<String> = (0..40).map(|n| format!("{}/t{n}", folder(n))).collect();
    for (n, path) in paths.iter().enumerate().filter(|(n, _)| n % 5 != 0) {
        root.write(path, &secret(&format!("t{n}"), "x"), None).unwrap();
    }
    root.write("top", &secret("top", "x"), None).unwrap();
    server().api("DELETE", &format!("{mount}/data/us/t7"), Value::Null);
    let asked: Vec<String> = paths.iter().cloned().chain(["top".to_owned(), "gone/x".to_owned()]).collect();
    let expected = root.heads(&asked).unwrap();
    assert_eq!(expected.len(), 32);
    assert_eq!(expected["us/t1"].tenant.as_deref(), Some("t1"));
    let name_only = format!("path \"{mount}/metadata/*\" {{ capabilities = [\"read\", \"list\"] }}");
    let one_by_one = format!("path \"{mount}/metadata/*\" {{ capabilities = [\"read\"] }}");
    for policy in [name_only, one_by_one] {
        let token = server().token_with(&unique("heads"), &policy, Value::Null);
        assert_eq!(store_with(&mount, &token).heads(&asked).unwrap(), expected, "{policy}");
    }
}

#[test]
fn thousands_of_heads_are_read_in_pages() {
    let mount = mount(2);
    let store = store(&mount);
    let paths: Vec<String> = (0..1100).map(|n| format!("tenants/t{n}")).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    store.write(path, &secret("t", "x"), None).unwrap();
                }
            });
        }
    });
    // As HashiCorp Vault answers: names only, then each secret's metadata.
    let policy = format!("path \"{mount}/metadata/*\" {{ capabilities = [\"read\", \"list\"] }}");
    let names_only = store_with(&mount, &server().token_with(&unique("names"), &policy, Value::Null));
    for (store, how) in [(store, "in detail"), (names_only, "by name")] {
        let begun = std::time::Instant::now();
        let heads = store.heads(&paths).unwrap();
        println!("1100 heads {how}: {:?}", begun.elapsed());
        assert!(heads.keys().eq(paths.iter().collect::<std::collections::BTreeSet<_>>()));
        assert!(heads.values().all(|head| head.tenant.as_deref() == Some("t")));
    }
}

#[test]
fn version_1_is_found_out_and_its_document_carries_the_counter() {
    let mount = mount(1);
    let store = store(&mount);
    store.preflight().unwrap();
    store.write("tenants/acme", &secret("acme", "one"), None).unwrap();
    let head = store.write("tenants/acme", &secret("acme", "two"), Some("1")).unwrap();
    let document = server().api("GET", &format!("{mount}/tenants/acme"), Value::Null);
    assert_eq!((&document["data"]["version"], &document["data"]["managed_by"]), (&json!(2), &json!("tenantry")));
    let (read, found) = readable(store.read("tenants/acme").unwrap());
    assert!(found.same_as(&secret("acme", "two")));
    assert_eq!(read, head);
    let heads = store.heads(&["tenants/acme".into(), "tenants/none".into(), "other/none".into()]).unwrap();
    assert_eq!(heads.into_iter().collect::<Vec<_>>(), [("tenants/acme".to_owned(), head)]);
    assert!(matches!(store.delete("tenants/acme", Some("1")), Err(SecretError::CheckAndSet { .. })));
    store.delete("tenants/acme", Some("2")).unwrap();
    store.delete("tenants/acme", Some("2")).unwrap();
    assert!(matches!(store.read("tenants/acme").unwrap(), Found::Absent));
}

#[test]
fn deleting_takes_all_versions_and_the_metadata_but_only_of_the_expected_one() {
    let mount = mount(2);
    let store = store(&mount);
    store.write("acme", &secret("acme", "one"), None).unwrap();
    store.write("acme", &secret("acme", "two"), Some("1")).unwrap();
    assert!(matches!(store.delete("acme", Some("1")), Err(SecretError::CheckAndSet { .. })));
    // Soft-deleted at the version we know: the passwords below it go all the same.
    server().api("DELETE", &format!("{mount}/data/acme"), Value::Null);
    store.delete("acme", Some("2")).unwrap();
    let (status, _) = server().try_api("GET", &format!("{mount}/metadata/acme"), &Value::Null).unwrap();
    assert_eq!(status, 404);
    store.delete("acme", Some("2")).unwrap();
    store.delete("acme", None).unwrap();
}

#[test]
fn somebody_elses_secret_is_foreign_and_never_overwritten() {
    for version in [1, 2] {
        let mount = mount(version);
        let store = store(&mount);
        let data = json!({"api_key": "hunter2", "port": "hunter2"});
        let (path, body) = match version {
            1 => (format!("{mount}/acme"), data),
            _ => (format!("{mount}/data/acme"), json!({ "data": data })),
        };
        server().api("POST", &path, body);
        let Found::Foreign { head, reason } = store.read("acme").unwrap() else { panic!() };
        assert_eq!((head.managed_by, head.tenant), (None, None));
        assert!(reason.contains("\"tenant\" is missing") && reason.contains("\"port\" is not a port"), "{reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
        assert!(store.heads(&["acme".into()]).unwrap()["acme"].tenant.is_none());
        let error = store.write("acme", &secret("acme", "x"), None).unwrap_err();
        assert!(matches!(error, SecretError::CheckAndSet { .. }), "{error:?}");
    }
}

#[test]
fn a_forbidden_path_is_named_with_the_line_of_policy_that_it_takes() {
    let mount = mount(2);
    let policy = format!("path \"{mount}/data/tenants/*\" {{ capabilities = [\"read\"] }}");
    let token = server().token_with(&unique("reader"), &policy, Value::Null);
    let store = store_with(&mount, &token);
    store.preflight().unwrap();
    let error = store.write("tenants/acme", &secret("acme", "x"), None).unwrap_err();
    let SecretError::Forbidden { path, capability } = &error else { panic!("{error:?}") };
    assert_eq!((path.as_str(), *capability), (format!("{mount}/data/tenants/acme").as_str(), "create"));
    assert!(error.hint().unwrap().contains("capabilities = [\"create\"]"));
    let error = store.may_write(&["tenants/acme".into()]).unwrap_err();
    assert!(matches!(error, SecretError::Forbidden { capability: "create", .. }), "{error:?}");
    let error = store.heads(&["tenants/acme".into()]).unwrap_err();
    assert!(matches!(error, SecretError::Forbidden { capability: "read", .. }), "{error:?}");
}

#[test]
fn the_documented_least_policy_is_enough() {
    let document = include_str!("../../docs/secrets.md");
    let blocks: Vec<&str> = document.split("```hcl\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    for (version, block) in [(2, blocks[0]), (1, blocks[1])] {
        let mount = mount(version);
        let policy = block.replace("\"secret/", &format!("\"{mount}/"));
        let token = server().token_with(&unique("least"), &policy, Value::Null);
        let store = store_with(&mount, &token);
        store.preflight().unwrap();
        let paths: Vec<String> = (0..20).map(|n| format!("tenants/t{n}")).collect();
        store.may_write(&paths).unwrap();
        for path in &paths {
            store.write(path, &secret("t", "one"), None).unwrap();
        }
        store.write("tenants/t0", &secret("t", "two"), Some("1")).unwrap();
        assert_eq!(store.heads(&paths).unwrap().len(), 20);
        readable(store.read("tenants/t0").unwrap());
        store.delete("tenants/t0", Some("2")).unwrap();
        let error = store.write("elsewhere/t0", &secret("t", "x"), None).unwrap_err();
        assert!(matches!(error, SecretError::Forbidden { .. }), "{error:?}");
    }
}

#[test]
fn a_wrong_mount_is_said_to_be_one() {
    let inside = mount(2);
    let reason = |mount: &str, token: &str| match store_with(mount, token).preflight() {
        Err(SecretError::WrongMount { reason, .. }) => reason,
        other => panic!("{mount}: {other:?}"),
    };
    let root = &server().token;
    assert_eq!(reason("nosuch", root), "there is no such mount");
    assert!(reason("cubbyhole", root).contains("type \"cubbyhole\""));
    assert!(reason(&format!("{inside}/tenants"), root).contains(&format!("the mount is \"{inside}\"")));
    let nobody = server().token_with(&unique("nobody"), "path \"x\" { capabilities = [\"read\"] }", Value::Null);
    assert!(reason("nosuch", &nobody).contains("or the token's policy allows nothing below it"));
}

#[test]
fn a_path_that_leads_elsewhere_is_refused() {
    let store = store(&mount(2));
    for path in ["../x", "/x", "a//b", "", "a/.."] {
        let error = store.write(path, &secret("acme", "x"), None).unwrap_err();
        assert!(matches!(error, SecretError::BadPath { .. }), "{path:?}: {error:?}");
    }
    store.write("odd ?#%/ä", &secret("acme", "x"), None).unwrap();
    readable(store.read("odd ?#%/ä").unwrap());
}

#[test]
fn a_namespace_is_a_world_of_its_own() {
    let namespace = unique("platform");
    server().api("POST", &format!("sys/namespaces/{namespace}"), json!({}));
    let kv = json!({"type": "kv", "options": {"version": "2"}});
    server().api_in(&namespace, "POST", "sys/mounts/inner", kv);
    let open = |namespace: &str| {
        let mut settings = settings(server(), "inner", token(&server().token));
        settings.namespace = Some(namespace.to_owned());
        open_vault(settings).unwrap()
    };
    let store = open(&namespace);
    store.preflight().unwrap();
    store.write("tenants/acme", &secret("acme", "x"), None).unwrap();
    readable(store.read("tenants/acme").unwrap());
    let outside = open("nosuch").preflight().unwrap_err();
    assert!(matches!(&outside, SecretError::WrongNamespace { namespace } if namespace == "nosuch"), "{outside:?}");
}
