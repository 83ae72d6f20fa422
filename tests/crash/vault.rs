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

/// A policy and a role are two requests more, and neither says by itself that it is nobody's.
#[test]
fn who_may_read_them() {
    let bao = OpenBao::dev();
    bao.api("POST", "sys/auth/approle", json!({"type": "approle"}));
    let listed = |path: &str, prefix: &str| -> Vec<String> {
        let (_, answer) = bao.try_api("LIST", path, &Value::Null).unwrap();
        let keys = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        let names = keys.iter().map(|key| key.as_str().unwrap().to_owned());
        let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort();
        names
    };
    for (point, passes) in [
        ("after_commit", ["create", "rename", "remove"].as_slice()),
        ("after_vault_set", &["create", "rename"]),
        ("after_vault_deleted", &["rename", "remove"]),
        ("after_secret_deleted", &["remove"]),
    ] {
        for (step, after, approle) in [
            ("create", "{p}-a = {}\n{p}-b = {}\n{p}-c = {}", "{tenant}"),
            ("rename", "{p}-a = {}\n{p}-b = {}", "{tenant}-app"),
            ("remove", "{p}-a = {}", "{tenant}"),
        ] {
            let mut fleet = Fleet::usual(Version::V18, "cut_access");
            let prefix = fleet.database.name.replace('_', "-");
            fleet.head.push_str(&format!(
                "[secrets]\nstore = \"vault\"\npath = \"{prefix}/{{tenant}}\"\n[vault]\naddress = \"{}\"\n\
                 [vault.access]\npolicy = \"{{tenant}}\"\napprole = \"{{tenant}}\"\n",
                bao.address
            ));
            fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
            fleet.declare(&"{p}-a = {}\n{p}-b = {}".replace("{p}", &prefix));
            fleet.apply();
            fleet.head = fleet.head.replace("approle = \"{tenant}\"", &format!("approle = \"{approle}\""));
            fleet.declare(&after.replace("{p}", &prefix));
            let at = format!("{step} with access to Vault cut off at {point}");
            let cut = cut_off(&fleet, &APPLY, point);
            assert!(cut || !passes.contains(&step), "{at}: it never got there");
            one_more_apply_ends_in_sync(&fleet, &at);
            let keys: Vec<String> =
                after.replace("{p}", &prefix).lines().map(|line| line[..line.len() - 5].into()).collect();
            let roles: Vec<String> = keys.iter().map(|key| approle.replace("{tenant}", key)).collect();
            assert_eq!(listed("sys/policies/acl", &prefix), keys, "{at}");
            assert_eq!(listed("auth/approle/role", &prefix), roles, "{at}");
            assert_eq!(
                fleet.ask("SELECT string_agg(name, ' ' ORDER BY kind DESC, name) FROM tenantry.vault_access"),
                [keys, roles].concat().join(" "),
                "{at}"
            );
            for key in after.replace("{p}", &prefix).lines().map(|line| &line[..line.len() - 5]) {
                bao.api("DELETE", &format!("sys/policies/acl/{key}"), Value::Null);
                bao.api("DELETE", &format!("auth/approle/role/{}", approle.replace("{tenant}", key)), Value::Null);
            }
        }
    }
}
