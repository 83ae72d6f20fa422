//! The same lives with their secrets in a real OpenBao: KV version 2 and 1, AppRole, and what goes wrong.
mod access;
mod whose;

use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet, ask, log_in};
use crate::openbao::OpenBao;
use crate::postgres_server::Version;
use serde_json::{Value, json};

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "99"];

/// What README asks for, and no more.
const POLICY: &str = "path \"secret/data/tenants/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\"] }
path \"secret/metadata/tenants/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }
path \"secret/detailed-metadata/tenants/*\" { capabilities = [\"list\"] }";

fn fleet_with(version: Version, name: &str, bao: &OpenBao, more: &str) -> Fleet {
    let mut fleet = Fleet::usual(version, name);
    fleet.head.push_str(&format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n{more}\n", bao.address));
    fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
    fleet
}

fn kv2(bao: &OpenBao, tenant: &str) -> Value {
    bao.api("GET", &format!("secret/data/tenants/{tenant}"), Value::Null)["data"]["data"].clone()
}

#[test]
fn a_life_with_kv_version_2_and_approle() {
    let bao = OpenBao::dev();
    bao.policy("tenantry", POLICY);
    bao.api("POST", "sys/auth/approle", json!({"type": "approle"}));
    bao.api("POST", "auth/approle/role/tenantry", json!({"token_policies": ["tenantry"], "token_ttl": "60s"}));
    let role = bao.api("GET", "auth/approle/role/tenantry/role-id", Value::Null)["data"]["role_id"].clone();
    let secret = bao.api("POST", "auth/approle/role/tenantry/secret-id", json!({}))["data"]["secret_id"].clone();
    let auth = format!("auth = {{ method = \"approle\", role_id = {role}, secret_id = \"${{SECRET_ID}}\" }}");
    for version in BOTH {
        let mut fleet = fleet_with(version, "kv2", &bao, &auth);
        fleet.env = [("SECRET_ID".to_owned(), secret.as_str().unwrap().to_owned())].into();
        fleet.declare("k2-one = {}\nk2-two = { access = \"owner\" }");
        fleet.applies_and_settles();
        let one = kv2(&bao, "k2-one");
        let keys: Vec<_> = one.as_object().unwrap().keys().cloned().collect();
        let mut promised = ["tenant", "username", "password", "schema", "host", "port", "database", "url"];
        promised.sort_unstable();
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, promised);
        let metadata = bao.api("GET", "secret/metadata/tenants/k2-one", Value::Null)["data"]["custom_metadata"].clone();
        let marked = fleet.ask(
            "SELECT fleet, system_identifier, run FROM tenantry.identity, tenantry.runs ORDER BY began DESC LIMIT 1",
        );
        let marked: Vec<&str> = marked.split(", ").collect();
        assert_eq!(
            metadata,
            json!({"managed_by": "tenantry", "tenant": "k2-one", "database": fleet.database.name,
                   "fleet": marked[0], "fleet_cluster": marked[1], "fleet_run": marked[2]})
        );
        assert_eq!(ask(&mut log_in(&one), "SELECT current_schema()"), "tenant_k2_one");
        fleet.run(&["drift", "--deep"]).ends(0).says("Shape: 2 tenants as migrated");
        fleet.execute("ALTER ROLE k2_one_user PASSWORD 'by hand'");
        fleet.run(&["drift", "--deep"]).ends(2).says("password of k2_one_user");
        fleet.run(&["apply", "-y", "--deep"]).ends(0);
        log_in(&one);
        // Unchanged tenants get no new versions.
        fleet.declare("k2-one = { connection_limit = 5 }\nk2-two = { access = \"owner\", username = \"k2 two\" }");
        fleet.applies_and_settles();
        let current = |tenant: &str| {
            bao.api("GET", &format!("secret/metadata/tenants/{tenant}"), Value::Null)["data"]["current_version"].clone()
        };
        assert_eq!((current("k2-one"), current("k2-two")), (json!(1), json!(2)));
        // Somebody else rotates.
        let mut changed = one.clone();
        changed["password"] = json!("theirs");
        changed["url"] = json!(
            one["url"]
                .as_str()
                .unwrap()
                .split_once("_user:")
                .map(|(head, tail)| format!("{head}_user:theirs@{}", tail.split_once('@').unwrap().1))
                .unwrap()
        );
        bao.api("POST", "secret/data/tenants/k2-one", json!({"data": changed}));
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.applies_and_settles();
        assert_eq!(kv2(&bao, "k2-one")["password"], "theirs");
        // Somebody deletes the newest version: it is made again.
        bao.api("DELETE", "secret/data/tenants/k2-one", Value::Null);
        fleet.applies_and_settles();
        // A secret of somebody else's.
        bao.api("POST", "secret/data/tenants/k2-three", json!({"data": {"api_key": "x"}}));
        fleet.declare("k2-one = {}\nk2-three = {}");
        fleet.run(&REMOVE).ends(1).says("someone else");
        assert_eq!(kv2(&bao, "k2-three"), json!({"api_key": "x"}));
        fleet.declare("k2-one = {}");
        fleet.settled();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(bao.try_api("GET", "secret/metadata/tenants/k2-one", &Value::Null).unwrap().0, 404);
        bao.api("DELETE", "secret/metadata/tenants/k2-three", Value::Null);
    }
}

#[test]
fn a_life_with_kv_version_1() {
    let bao = OpenBao::dev();
    bao.api("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
    let read = |tenant: &str| bao.api("GET", &format!("old/tenants/{tenant}"), Value::Null)["data"].clone();
    for version in BOTH {
        let mut fleet = fleet_with(version, "kv1", &bao, "mount = \"old\"");
        fleet.declare("k1-one = {}\nk1-two = { password_from = \"given for good\" }");
        fleet.applies_and_settles();
        let one = read("k1-one");
        assert_eq!(ask(&mut log_in(&one), "SELECT current_schema()"), "tenant_k1_one");
        // Edited, with the version as it was.
        for (key, value) in [("url", json!("postgresql://elsewhere/app")), ("host", json!("elsewhere"))] {
            let mut edited = one.clone();
            edited["version"] = read("k1-one")["version"].clone();
            edited[key] = value;
            bao.api("POST", "old/tenants/k1-one", edited);
            fleet.run(&["drift"]).ends(2).says("a url that does not match");
            fleet.applies_and_settles();
            assert_eq!(read("k1-one")[key], one[key]);
        }
        fleet.declare("k1-one = { schema = \"k1 renamed\" }\nk1-two = {}");
        fleet.applies_and_settles();
        assert_eq!(read("k1-one")["password"], one["password"]);
        assert_ne!(read("k1-two")["password"], "given for good");
        bao.api("DELETE", "old/tenants/k1-one", Value::Null);
        fleet.applies_and_settles();
        fleet.head = fleet.head.replace("[vault]", "path = \"moved/{tenant}\"\n[vault]");
        fleet.declare("k1-one = { schema = \"k1 renamed\" }\nk1-two = {}");
        fleet.applies_and_settles();
        assert_eq!(bao.try_api("GET", "old/tenants/k1-one", &Value::Null).unwrap().0, 404);
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(bao.try_api("GET", "old/moved/k1-one", &Value::Null).unwrap().0, 404);
    }
}

#[test]
fn a_store_that_is_not_ready_is_found_out_before_postgresql_is_touched() {
    let mut bao = OpenBao::durable(None);
    let fleet = |more: &str| {
        let fleet = fleet_with(Version::V18, "not_ready", &bao, more);
        fleet.declare("nr-one = {}");
        fleet
    };
    let untouched = |fleet: &Fleet, words: &str| {
        fleet.try_apply().ends(1).says(words);
        fleet.run(&["plan", "--detailed-exitcode"]).code
    };
    let nothing = |fleet: &Fleet| {
        let sql = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant' UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ '^(nr_|tenantry_not_ready)'";
        assert_eq!(fleet.ask(sql), "");
    };
    let wrong = fleet("mount = \"nowhere\"");
    assert_eq!(untouched(&wrong, "mount \"nowhere\""), 1);
    nothing(&wrong);
    let mut forbidden = fleet("");
    let read_only = POLICY.replace("\"create\", ", "").replace("\"update\", ", "");
    forbidden.env.insert("VAULT_TOKEN".into(), bao.token_with("read-only", &read_only, json!({})));
    assert_eq!(untouched(&forbidden, "does not grant"), 2, "a plan needs to read only");
    nothing(&forbidden);
    forbidden.env.insert("VAULT_TOKEN".into(), "no-such-token".into());
    assert_eq!(untouched(&forbidden, "not from this server"), 1);
    forbidden.env.remove("VAULT_TOKEN");
    assert_eq!(untouched(&forbidden, "no token"), 1);
    let ready = fleet("");
    bao.seal();
    assert_eq!(untouched(&ready, "is sealed"), 1);
    bao.kill();
    assert_eq!(untouched(&ready, "cannot reach"), 1);
    nothing(&ready);
    bao.start();
    bao.unseal();
    ready.applies_and_settles();
}

/// Starts an apply of fifty and lets something happen once a few are done. The rest of the fifty must be whole or not there.
fn fifty(version: Version, name: &str, bao: &OpenBao, token: &str, happens: impl FnOnce()) -> Fleet {
    let mut fleet = fleet_with(version, name, bao, "");
    fleet.env.insert("VAULT_TOKEN".into(), token.into());
    fleet.declare(&(0..50).map(|n| format!("{name}-{n} = {{}}\n")).collect::<String>());
    let mut command = fleet.command(&["apply", "-y", "--parallelism", "3", "--max-failures", "0", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let done = |fleet: &Fleet| {
        fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^tenant_'").parse::<i32>().unwrap()
    };
    while done(&fleet) < 5 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
    happens();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["summary"]["failed"].as_u64().unwrap() > 0, "{told}");
    let mut whole = 0;
    for tenant in report["tenants"].as_array().unwrap() {
        let key = tenant["tenant"].as_str().unwrap();
        let sql = format!(
            "SELECT (SELECT count(*) FROM pg_roles WHERE rolname IN ('{0}_user', '{0}_owner')), \
             (SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_{0}'), (SELECT count(*) FROM tenantry.tenants WHERE tenant = '{key}')",
            key.replace('-', "_")
        );
        let there = fleet.ask(&sql);
        if tenant["outcome"] == "applied" {
            whole += 1;
            assert_eq!(there, "2, 1, 1", "{key}");
        } else {
            assert_eq!(there, "0, 0, 0", "{key}: {tenant}");
            assert!(tenant["error"]["message"].as_str().unwrap().contains("secret"), "{tenant}");
        }
    }
    assert!((5..50).contains(&whole), "{whole} of 50");
    fleet
}

#[test]
fn a_token_revoked_in_the_middle_leaves_nothing_half_made() {
    let bao = OpenBao::dev();
    for (version, name) in [(Version::Installed, "rv15"), (Version::V18, "rv18")] {
        let token = bao.token_with("tenantry", POLICY, json!({}));
        let mut fleet =
            fifty(version, name, &bao, &token, || drop(bao.api("POST", "auth/token/revoke", json!({"token": token}))));
        fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
        fleet.applies_and_settles();
    }
}

#[test]
fn a_store_sealed_in_the_middle_leaves_nothing_half_made() {
    let bao = OpenBao::durable(None);
    for (version, name) in [(Version::Installed, "sl15"), (Version::V18, "sl18")] {
        let fleet = fifty(version, name, &bao, &bao.token, || bao.seal());
        bao.unseal();
        fleet.applies_and_settles();
    }
}

/// `vault kv patch secret/tenants/acme team=blue`.
fn patch(bao: &OpenBao, tenant: &str, key: &str, value: &str) {
    let mut data = kv2(bao, tenant);
    data[key] = json!(value);
    bao.api("POST", &format!("secret/data/tenants/{tenant}"), json!({"data": data}));
}

#[test]
fn keys_that_others_added_stay_and_are_no_change_of_the_password() {
    let bao = OpenBao::dev();
    for version in BOTH {
        let fleet = fleet_with(version, "patched", &bao, "");
        fleet.declare("pa-one = {}\npa-two = {}");
        fleet.applies_and_settles();
        let before = kv2(&bao, "pa-one");
        patch(&bao, "pa-one", "team", "blue");
        patch(&bao, "pa-one", "password_hint", "in the wallet");
        fleet.run(&["drift"]).ends(0);
        fleet.run(&["show", "pa-one"]).ends(0).says("In sync");
        fleet.settled();
        // Another change notes the version, and leaves the secret as it is.
        fleet.declare("pa-one = { connection_limit = 5 }\npa-two = {}");
        fleet.applies_and_settles();
        assert_eq!(kv2(&bao, "pa-one")["password"], before["password"]);
        for args in [&["rotate", "-y", "pa-one"][..], &["apply", "-y"]] {
            patch(&bao, "pa-one", "seen", args[0]);
            fleet.run(args).ends(0);
            let now = kv2(&bao, "pa-one");
            assert_eq!((&now["team"], &now["password_hint"]), (&json!("blue"), &json!("in the wallet")));
            assert_eq!(now["seen"], args[0]);
            ask(&mut log_in(&now), "SELECT 1");
        }
        assert_ne!(kv2(&bao, "pa-one")["password"], before["password"]);
        fleet.settled();
        // A patch of the password itself is one, whatever else was patched before or after.
        patch(&bao, "pa-one", "team", "red");
        patch(&bao, "pa-one", "password", "theirs");
        patch(&bao, "pa-one", "team", "green");
        fleet.run(&["drift"]).ends(2).says("password of pa_one_user  as in the secret store");
        fleet.applies_and_settles();
        let now = kv2(&bao, "pa-one");
        assert_eq!((&now["password"], &now["team"]), (&json!("theirs"), &json!("green")));
        ask(&mut log_in(&now), "SELECT 1");
        // The version that was remembered is pushed out by newer ones: what is not known is written again, once.
        for n in 0..12 {
            patch(&bao, "pa-two", "synced", &n.to_string());
        }
        fleet.run(&["drift"]).ends(2).says("password of pa_two_user  as in the secret store");
        fleet.applies_and_settles();
        assert_eq!(kv2(&bao, "pa-two")["synced"], "11");
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}

#[test]
fn keys_that_others_added_stay_in_kv_version_1_too() {
    let bao = OpenBao::dev();
    bao.api("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
    let read = |tenant: &str| bao.api("GET", &format!("old/tenants/{tenant}"), Value::Null)["data"].clone();
    let fleet = fleet_with(BOTH[0], "patched1", &bao, "mount = \"old\"");
    fleet.declare("p1-one = {}");
    fleet.applies_and_settles();
    let mut data = read("p1-one");
    data["team"] = json!("blue");
    bao.api("POST", "old/tenants/p1-one", data.clone());
    fleet.settled();
    fleet.run(&["rotate", "-y", "p1-one"]).ends(0);
    let now = read("p1-one");
    assert_eq!(now["team"], "blue");
    assert_ne!(now["password"], data["password"]);
    ask(&mut log_in(&now), "SELECT 1");
    fleet.settled();
}

/// An agent or a proxy on the machine adds the token: VAULT_ADDR leads to it, and there is none here.
#[test]
fn a_proxy_that_adds_the_token_is_enough() {
    let bao = OpenBao::dev();
    bao.policy("tenantry", POLICY);
    let token = bao.token_with("proxied", POLICY, Value::Null);
    let proxy = bao.proxy(&token);
    for (version, address) in BOTH.into_iter().zip([proxy.address.clone(), adding(&bao, &token)].into_iter().cycle()) {
        let mut fleet = Fleet::usual(version, "proxied");
        fleet.head.push_str("[secrets]\nstore = \"vault\"\n");
        fleet.env.insert("VAULT_ADDR".into(), address);
        fleet.declare("px-one = {}");
        fleet.applies_and_settles();
        ask(&mut log_in(&kv2(&bao, "px-one")), "SELECT 1");
        fleet.run(&["rotate", "-y", "px-one"]).ends(0);
        // Straight to the server there is none.
        fleet.env.insert("VAULT_ADDR".into(), bao.address.clone());
        fleet.run(&["plan"]).ends(1).says("no token for the secret store").says("set VAULT_TOKEN");
        fleet.env.insert("VAULT_ADDR".into(), proxy.address.clone());
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}

/// The least that such a proxy does: a header more in each request.
fn adding(bao: &OpenBao, token: &str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (server, token) = (bao.address.trim_start_matches("http://").to_owned(), token.to_owned());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (server, token) = (server.clone(), token.clone());
            std::thread::spawn(move || -> std::io::Result<()> {
                let (mut client, mut request) = (client, Vec::new());
                let mut piece = [0; 65536];
                let ends = |request: &[u8]| request.windows(4).position(|four| four == b"\r\n\r\n");
                let head = loop {
                    if let Some(at) = ends(&request) {
                        break at;
                    }
                    match client.read(&mut piece)? {
                        0 => return Ok(()),
                        n => request.extend(&piece[..n]),
                    }
                };
                let words = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
                assert!(!words.contains("x-vault-token"), "there was one already: {words}");
                let length = words.lines().find_map(|line| line.strip_prefix("content-length:"));
                let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
                while request.len() < head + 4 + length {
                    let n = client.read(&mut piece)?;
                    request.extend(&piece[..n]);
                }
                let more = format!("\r\nX-Vault-Token: {token}\r\nConnection: close");
                request.splice(head..head, more.into_bytes());
                let mut server = std::net::TcpStream::connect(server)?;
                server.write_all(&request)?;
                let mut answer = Vec::new();
                server.read_to_end(&mut answer)?;
                client.write_all(&answer)
            });
        }
    });
    address
}

#[test]
fn a_dropped_registry_comes_back_and_the_secrets_in_the_store_stay() {
    let bao = OpenBao::dev();
    for version in BOTH {
        let fleet = fleet_with(version, "recovered", &bao, "");
        fleet.declare("rv-one = {}\nrv-two = { access = \"owner\" }");
        fleet.applies_and_settles();
        let metadata = || {
            ["rv-one", "rv-two"]
                .map(|t| bao.api("GET", &format!("secret/metadata/tenants/{t}"), Value::Null)["data"].clone())
        };
        let secrets = || ["rv-one", "rv-two"].map(|tenant| kv2(&bao, tenant));
        let before = (metadata(), secrets());
        fleet.execute("DROP SCHEMA tenantry CASCADE");
        fleet.run(&["apply", "-y"]).ends(1).says("tenantry recover");
        fleet.execute(&fleet.run(&["recover"]).ends(0).stdout);
        fleet.settled();
        fleet.applies_and_settles();
        assert_eq!((metadata(), secrets()), before);
        // How old a password is, the store says.
        fleet.run(&["rotate", "--older-than", "1h"]).ends(0).says("No passwords to rotate");
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}
