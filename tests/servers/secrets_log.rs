//! What the libraries below log. Alone in its process, because it listens to every thread of it.
#![cfg(feature = "cli")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::openbao::OpenBao;
use serde_json::{Value, json};
use tenantry::model::SecretFields;
use tenantry::model::secret::Secret;
use tenantry::model::vault::{VaultAuth, VaultConfig};
use tenantry::secrets::{SecretStore, open_vault};
use tenantry::unguarded::WritableStore;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[test]
fn not_even_the_most_talkative_log_holds_a_token_or_a_password() {
    let server = OpenBao::dev();
    let all = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }";
    let given = server.token_with("all", all, Value::Null);
    server.api("POST", "sys/auth/userpass", json!({"type": "userpass"}));
    server.api("POST", "auth/userpass/users/ada", json!({"password": "lovelace", "token_policies": ["all"]}));
    let userpass =
        |password: &str| VaultAuth::Userpass { username: "ada".into(), password: password.into(), mount: None };
    let open = |auth: VaultAuth| {
        let address = Some(server.address.clone());
        open_vault(VaultConfig { address, auth: Some(auth), ..VaultConfig::default() }.resolve(&|_| None)).unwrap()
    };
    let fields = SecretFields {
        username: "acme_user".into(),
        host: "h".into(),
        port: 5432,
        database: "app".into(),
        ..SecretFields::default()
    };
    let secret = |password: &str| Secret::new("acme", fields.clone(), password.into());

    let log = Log::default();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).init();
    for auth in [userpass("lovelace"), VaultAuth::Token { token: Some(given.as_str().into()) }] {
        let store = open(auth);
        store.preflight().unwrap();
        store.delete("acme", None).unwrap();
        store.write("acme", &secret("hunter2"), None).unwrap();
        store.write("acme", &secret("hunter2-again"), None).unwrap_err();
        store.read("acme").unwrap();
    }
    open(userpass("wrong-lovelace")).preflight().unwrap_err();
    open(VaultAuth::Token { token: Some(format!("{given}x").into()) }).preflight().unwrap_err();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("Sending Request"), "the libraries below are heard");
    for hidden in ["hunter2", "lovelace", &given] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert!(line.is_none(), "{line:?}");
    }
}
