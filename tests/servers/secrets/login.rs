//! Ways to log in, and tokens that end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread::{scope, sleep, spawn};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};

use super::*;

const ALL: &str = "path \"*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }";

fn works(auth: VaultAuth) {
    let store = open_vault(settings(server(), &mount(2), auth)).unwrap();
    store.preflight().unwrap();
    store.write("tenants/acme", &secret("acme", "x"), None).unwrap();
    readable(store.read("tenants/acme").unwrap());
}

fn refused(auth: VaultAuth) -> SecretError {
    let error = open_vault(settings(server(), "secret", auth)).unwrap().preflight().unwrap_err();
    assert!(matches!(error, SecretError::LoginFailed { .. }), "{error:?}");
    assert!(error.hint().is_some());
    error
}

/// Enables an auth method at a path of the test's own, and a policy that may do everything but administer.
fn enable(method: &str) -> (String, String) {
    let (at, policy) = (unique(method), unique("all"));
    server().api("POST", &format!("sys/auth/{at}"), json!({ "type": method }));
    server().policy(&policy, ALL);
    (at, policy)
}

fn approle(more: Value) -> (String, VaultAuth) {
    let (at, policy) = enable("approle");
    let mut role = json!({ "token_policies": [policy] });
    role.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    server().api("POST", &format!("auth/{at}/role/tenantry"), role);
    let role_id = server().api("GET", &format!("auth/{at}/role/tenantry/role-id"), Value::Null);
    let secret_id = server().api("POST", &format!("auth/{at}/role/tenantry/secret-id"), json!({}));
    let auth = VaultAuth::AppRole {
        role_id: role_id["data"]["role_id"].as_str().unwrap().to_owned(),
        secret_id: Some(secret_id["data"]["secret_id"].as_str().unwrap().into()),
        mount: Some(at.clone()),
    };
    (at, auth)
}

#[test]
fn approle_logs_in() {
    let (at, auth) = approle(json!({}));
    works(auth.clone());
    let VaultAuth::AppRole { role_id, .. } = auth else { panic!() };
    let wrong = VaultAuth::AppRole { role_id, secret_id: Some("hunter2".into()), mount: Some(at.clone()) };
    let error = refused(wrong);
    let shown = format!("{error} {error:?} {:?}", error.hint());
    assert!(shown.contains(&format!("auth/{at}")) && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn userpass_logs_in() {
    let (at, policy) = enable("userpass");
    server().api("POST", &format!("auth/{at}/users/ada"), json!({"password": "lovelace", "token_policies": [policy]}));
    let auth = |password: &str, mount: &str| VaultAuth::Userpass {
        username: "ada".into(),
        password: password.into(),
        mount: Some(mount.to_owned()),
    };
    works(auth("lovelace", &at));
    let error = refused(auth("hunter2", &at));
    assert!(!format!("{error:?}").contains("hunter2"));
    refused(auth("lovelace", "nosuch"));
}

/// A JWT, signed with Ed25519, whatever algorithm it claims.
fn jwt(key: &KeyPair, algorithm: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": algorithm, "typ": "JWT"})), part(claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, format!("{text}\n")).unwrap();
    (dir, path)
}

#[test]
fn jwt_logs_in_by_value_and_by_file() {
    let (at, policy) = enable("jwt");
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let config = json!({"jwt_validation_pubkeys": [key.public_key_pem()], "jwt_supported_algs": ["EdDSA"]});
    server().api("POST", &format!("auth/{at}/config"), config);
    let role = json!({
        "role_type": "jwt", "bound_audiences": ["vault"], "user_claim": "sub", "token_policies": [policy],
    });
    server().api("POST", &format!("auth/{at}/role/tenantry"), role);
    let now = jiff::Timestamp::now().as_second();
    let signed = |subject: &str, audience: &str| {
        jwt(&key, "EdDSA", &json!({"sub": subject, "aud": audience, "iat": now, "exp": now + 600}))
    };
    let auth = |jwt: Option<String>, jwt_path: Option<PathBuf>| VaultAuth::Jwt {
        role: "tenantry".into(),
        jwt: jwt.map(Into::into),
        jwt_path,
        mount: Some(at.clone()),
    };
    works(auth(Some(signed("ci", "vault")), None));
    let (_dir, path) = file(&signed("ci", "vault"));
    works(auth(None, Some(path)));
    refused(auth(Some(signed("ci", "elsewhere")), None));
    let error = open_vault(settings(server(), "secret", auth(None, None))).unwrap().preflight().unwrap_err();
    assert!(matches!(error, SecretError::Settings { .. }), "{error:?}");
}

/// Answers every TokenReview: this is the service account "ci" of the namespace "ops".
fn kubernetes() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut read = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&read).contains("\"spec\"") {
                let n = stream.read(&mut buffer).unwrap();
                if n == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..n]);
            }
            let user = json!({"username": "system:serviceaccount:ops:ci", "uid": "u", "groups": []});
            let status = json!({"authenticated": true, "user": user});
            let body =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}).to_string();
            let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
            write!(stream, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    address
}

#[test]
fn kubernetes_logs_in_with_the_service_accounts_token() {
    let (at, policy) = enable("kubernetes");
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let account = json!({"namespace": "ops", "serviceaccount": {"name": "ci", "uid": "u"}});
    let now = jiff::Timestamp::now().as_second();
    // The signature is for the API server to check, not for the engine, which looks at the algorithm alone.
    let jwt = jwt(
        &key,
        "ES256",
        &json!({"sub": "system:serviceaccount:ops:ci", "iat": now, "nbf": now, "exp": now + 600, "kubernetes.io": account}),
    );
    let dir = tempfile::tempdir().unwrap();
    let ca = std::fs::read_to_string(crate::openbao::Certificates::new(dir.path()).ca).unwrap();
    let config = json!({"kubernetes_host": kubernetes(), "kubernetes_ca_cert": ca, "token_reviewer_jwt": jwt});
    server().api("POST", &format!("auth/{at}/config"), config);
    let role = json!({
        "bound_service_account_names": ["ci"], "bound_service_account_namespaces": ["ops"], "token_policies": [policy],
    });
    server().api("POST", &format!("auth/{at}/role/tenantry"), role);
    let (_dir, path) = file(&jwt);
    works(VaultAuth::Kubernetes { role: "tenantry".into(), token_path: Some(path), mount: Some(at) });
}

#[test]
fn a_token_comes_from_the_configuration_or_from_where_the_stock_client_leaves_it() {
    let home = tempfile::tempdir().unwrap();
    let open = |env: &[(&str, &str)]| {
        let env: Vec<(String, String)> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let env = move |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        open_vault(VaultConfig::default().resolve(&env)).unwrap().preflight()
    };
    let (address, home_path) = (server().address.as_str(), home.path().to_str().unwrap());
    let without = open(&[("VAULT_ADDR", address), ("HOME", home_path)]).unwrap_err();
    assert!(matches!(without, SecretError::NoToken), "{without:?}");
    assert!(without.hint().unwrap().contains("VAULT_TOKEN"));
    std::fs::write(home.path().join(".vault-token"), format!("{}\n", server().token)).unwrap();
    open(&[("VAULT_ADDR", address), ("HOME", home_path)]).unwrap();
    open(&[("BAO_ADDR", address), ("BAO_TOKEN", &server().token)]).unwrap();
    let wrong = open(&[("VAULT_ADDR", address), ("VAULT_TOKEN", "s.hunter2"), ("HOME", home_path)]).unwrap_err();
    assert!(matches!(wrong, SecretError::TokenRejected), "{wrong:?}");
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"));
    let broken = open(&[("VAULT_ADDR", address), ("VAULT_TOKEN", "two\nlines")]).unwrap_err();
    assert!(matches!(broken, SecretError::Settings { .. }), "{broken:?}");
}

/// Writes from several threads for a while.
fn keep_writing(store: &VaultStore, seconds: u64) {
    let begun = Instant::now();
    scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let path = format!("tenants/t{thread}");
                let mut version: Option<String> = None;
                while begun.elapsed() < Duration::from_secs(seconds) {
                    version = Some(store.write(&path, &secret("t", "x"), version.as_deref()).unwrap().version);
                    sleep(Duration::from_millis(20));
                }
            });
        }
    });
}

#[test]
fn a_token_that_ends_in_the_middle_is_renewed_and_then_replaced() {
    // Renewed once or twice, then at its maximum; without a login of its own all of this would end after 4 seconds.
    let (_, auth) = approle(json!({"token_ttl": "2s", "token_max_ttl": "4s"}));
    keep_writing(&open_vault(settings(server(), &mount(2), auth)).unwrap(), 9);
}

#[test]
fn a_batch_token_is_replaced_before_it_ends() {
    let (_, auth) = approle(json!({"token_type": "batch", "token_ttl": "2s"}));
    keep_writing(&open_vault(settings(server(), &mount(2), auth)).unwrap(), 5);
}

#[test]
fn a_given_token_is_renewed_as_long_as_the_server_lets_it() {
    let token_of = |more: Value| server().token_with(&unique("given"), ALL, more);
    let periodic = token_of(json!({"period": "2s"}));
    keep_writing(&store_with(&mount(2), &periodic), 5);
    let ending = store_with(&mount(2), &token_of(json!({"ttl": "2s", "explicit_max_ttl": "2s"})));
    ending.preflight().unwrap();
    sleep(Duration::from_millis(2500));
    let error = ending.read("tenants/acme").unwrap_err();
    assert!(matches!(error, SecretError::TokenRejected), "{error:?}");
}

#[test]
fn a_revoked_token_is_replaced_once_and_a_given_one_is_reported() {
    let (at, auth) = approle(json!({}));
    let store = open_vault(settings(server(), &mount(2), auth)).unwrap();
    store.write("acme", &secret("acme", "x"), None).unwrap();
    let accessors = || {
        let all = server().api("LIST", "auth/token/accessors", Value::Null);
        let all = all["data"]["keys"].as_array().unwrap().clone();
        let of_this = |accessor: &Value| {
            let found = server().try_api("POST", "auth/token/lookup-accessor", &json!({ "accessor": accessor }));
            found.is_some_and(|(_, found)| found["data"]["path"] == json!(format!("auth/{at}/login")))
        };
        all.into_iter().filter(of_this).collect::<Vec<_>>()
    };
    let before = accessors();
    assert_eq!(before.len(), 1);
    server().api("POST", "auth/token/revoke-accessor", json!({"accessor": before[0]}));
    scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| readable(store.read("acme").unwrap()));
        }
    });
    assert_eq!(accessors().len(), 1, "sixteen threads noticed, one logged in");

    let given = server().token_with(&unique("given"), ALL, Value::Null);
    let store = store_with(&mount(2), &given);
    store.preflight().unwrap();
    server().api("POST", "auth/token/revoke", json!({ "token": given }));
    let error = store.read("acme").unwrap_err();
    assert!(matches!(error, SecretError::TokenRejected), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(&given));
}

#[test]
fn a_token_without_the_default_policy_works_and_its_refusals_are_its_policys() {
    let mount = mount(2);
    let policy = format!("path \"{mount}/data/tenants/*\" {{ capabilities = [\"read\"] }}");
    let token = server().token_with(&unique("bare"), &policy, json!({"no_default_policy": true}));
    let store = store_with(&mount, &token);
    store.preflight().unwrap();
    assert!(matches!(store.read("tenants/acme").unwrap(), Found::Absent));
    let error = store.read("elsewhere/acme").unwrap_err();
    assert!(matches!(error, SecretError::Forbidden { .. }), "{error:?}");
    store.may_write(&["tenants/acme".into()]).unwrap();
}
