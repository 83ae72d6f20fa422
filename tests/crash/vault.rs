//! Secrets in a Vault.

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::openbao::OpenBao;
use crate::postgres_server::Version;
use crate::rules::{APPLY, cut_off, no_orphans, one_more_apply_ends_in_sync};

/// In a KV engine the secret and its metadata are two requests.
#[test]
fn secrets_and_their_metadata() {
    let bao = OpenBao::dev();
    for point in ["before_secret_metadata", "after_secret", "after_commit", "after_secret_deleted"] {
        for (step, after) in [
            ("create", "{p}-a = {}\n{p}-b = {}\n{p}-c = {}"),
            ("remove", "{p}-a = {}"),
            ("update", "{p}-a = { username = \"{p} x\" }\n{p}-b = {}"),
        ] {
            let mut fleet = Fleet::usual(Version::V18, "cut_vault");
            fleet.head.push_str(&format!(
                "[secrets]\nstore = \"vault\"\npath = \"{}/{{tenant}}\"\n[vault]\naddress = \"{}\"\n",
                fleet.database.name, bao.address
            ));
            fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
            let prefix = fleet.database.name.clone();
            let key = prefix.replace('_', "-");
            let declare =
                |tenants: &str| fleet.declare(&tenants.replace("{p}-", &format!("{key}-")).replace("{p}", &prefix));
            declare("{p}-a = {}\n{p}-b = {}");
            fleet.apply();
            declare(after);
            cut_off(&fleet, &APPLY, point);
            let at = format!("{step} with Vault cut off at {point}");
            one_more_apply_ends_in_sync(&fleet, &at);
            let listed = bao.try_api("LIST", &format!("secret/metadata/{prefix}"), &Value::Null);
            let keys = listed
                .map(|(_, body)| body["data"]["keys"].as_array().cloned().unwrap_or_default())
                .unwrap_or_default();
            for name in &keys {
                let custom =
                    bao.api("GET", &format!("secret/metadata/{prefix}/{}", name.as_str().unwrap()), Value::Null);
                assert_eq!(custom["data"]["custom_metadata"]["managed_by"], json!("tenantry"), "{at}: {name}");
            }
            let found = keys.iter().map(|name| format!("{prefix}/{}", name.as_str().unwrap())).collect();
            no_orphans(&fleet, &prefix, &found, &at);
        }
    }
}
