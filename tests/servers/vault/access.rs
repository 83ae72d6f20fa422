//! Who may read a tenant's secret: logged in with the role that was made for each tenant.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{POLICY, REMOVE};
use crate::fleet::{Admin, BOTH, Fleet};
use crate::openbao::{self, OpenBao};
use crate::postgres_server::Version;

const ACCESS: &str = "[vault.access]\npolicy = \"tenant-{tenant}\"\napprole = \"tenant-{tenant}\"";

/// What docs/vault-access.md asks for besides the policy for the secrets.
const MORE: &str = "path \"sys/policies/acl/tenant-*\" { capabilities = [\"read\", \"update\", \"delete\"] }
path \"sys/policies/acl\" { capabilities = [\"list\"] }
path \"sys/policies/detailed/acl\" { capabilities = [\"list\"] }
path \"auth/approle/role/tenant-*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\"] }
path \"auth/approle/role\" { capabilities = [\"list\"] }
path \"auth/kubernetes/role/tenant-*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\"] }
path \"auth/kubernetes/role\" { capabilities = [\"list\"] }";

fn bao() -> OpenBao {
    let bao = OpenBao::dev();
    bao.api("POST", "sys/auth/approle", json!({"type": "approle"}));
    bao.api("POST", "sys/auth/kubernetes", json!({"type": "kubernetes"}));
    bao
}

fn fleet(admin: Admin, version: Version, name: &str, bao: &OpenBao) -> Fleet {
    let mut fleet = Fleet::under(admin, version, name);
    fleet.head.push_str(&format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n{ACCESS}\n", bao.address));
    let token = bao.token_with("tenantry", &format!("{POLICY}\n{MORE}"), json!({"period": "1h"}));
    fleet.env.insert("VAULT_TOKEN".into(), token);
    fleet
}

fn role(bao: &OpenBao, tenant: &str) -> Value {
    bao.api("GET", &format!("auth/approle/role/tenant-{tenant}"), Value::Null)["data"].clone()
}

fn policy(bao: &OpenBao, name: &str) -> Option<String> {
    let (status, answer) = bao.try_api("GET", &format!("sys/policies/acl/{name}"), &Value::Null).unwrap();
    (status == 200).then(|| answer["data"]["policy"].as_str().unwrap().to_owned())
}

/// Logs in as a program of the tenant's does.
fn token_of(bao: &OpenBao, role: &str) -> String {
    let at = format!("auth/approle/role/{role}");
    let role_id = bao.api("GET", &format!("{at}/role-id"), Value::Null)["data"]["role_id"].clone();
    let secret_id = bao.api("POST", &format!("{at}/secret-id"), json!({}))["data"]["secret_id"].clone();
    let login = bao.api("POST", "auth/approle/login", json!({"role_id": role_id, "secret_id": secret_id}));
    login["auth"]["client_token"].as_str().unwrap().to_owned()
}

fn secret_ids(bao: &OpenBao) -> usize {
    let listed = bao.try_api("LIST", "auth/approle/role/tenant-ac-one/secret-id", &Value::Null).unwrap().1;
    listed["data"]["keys"].as_array().map_or(0, Vec::len)
}

fn reads(bao: &OpenBao, token: &str, path: &str) -> u16 {
    bao.as_token(token, "GET", path).0
}

/// Each reads its own, and nothing else.
#[track_caller]
fn each_reads_its_own(bao: &OpenBao, at: &str, tenants: &[(&str, &str)]) {
    for (tenant, role) in tenants {
        let token = token_of(bao, role);
        for (other, _) in tenants {
            let expected = if other == tenant { 200 } else { 403 };
            assert_eq!(reads(bao, &token, &format!("{at}/{other}")), expected, "{tenant} reads {other}");
        }
        for forbidden in ["secret/metadata/tenants?list=true", "sys/policies/acl?list=true", "secret/data/admins"] {
            assert_eq!(reads(bao, &token, forbidden), 403, "{tenant} reads {forbidden}");
        }
        assert_eq!(bao.as_token(&token, "DELETE", &format!("{at}/{tenant}")).0, 403, "{tenant} deletes");
    }
}

#[test]
fn each_tenant_logs_in_and_reads_its_own_secret_only() {
    let bao = bao();
    bao.api("POST", "secret/data/admins", json!({"data": {"a": "b"}}));
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let mut fleet = fleet(admin, version, "access", &bao);
            fleet.declare("ac-one = {}\nac-two = {}");
            fleet
                .run(&["plan"])
                .ends(0)
                .says("Vault policy tenant-ac-one")
                .says("Vault role auth/approle/role/tenant-ac-one");
            fleet.applies_and_settles();
            let two = [("ac-one", "tenant-ac-one"), ("ac-two", "tenant-ac-two")];
            each_reads_its_own(&bao, "secret/data/tenants", &two);
            fleet.run(&["verify"]).ends(0);
            // Changed by hand: seen, and healed; what a role says of the rest is the admin's.
            bao.api(
                "POST",
                "auth/approle/role/tenant-ac-one",
                json!({"token_policies": ["tenant-ac-one", "tenantry"], "token_ttl": "7m"}),
            );
            let wider = policy(&bao, "tenant-ac-two").unwrap().replace("tenants/ac-two", "tenants/*");
            bao.policy("tenant-ac-two", &wider);
            fleet.run(&["drift"]).ends(2).says("policies tenant-ac-one, tenantry").says("secret/data/tenants/*");
            let before = secret_ids(&bao);
            let verified = fleet.run(&["verify"]).ends(2).says(
                "may not read secret/data/tenants/ac-one, logged in with Vault role auth/approle/role/tenant-ac-two",
            );
            verified.says(
                "may not list secret/metadata/tenants/, logged in with Vault role auth/approle/role/tenant-ac-one",
            );
            assert_eq!(secret_ids(&bao), before, "verify leaves none behind");
            fleet.applies_and_settles();
            each_reads_its_own(&bao, "secret/data/tenants", &two);
            assert_eq!(role(&bao, "ac-one")["token_ttl"], 420);
            // Deleted by hand.
            bao.api("DELETE", "auth/approle/role/tenant-ac-one", Value::Null);
            bao.api("DELETE", "sys/policies/acl/tenant-ac-two", Value::Null);
            fleet.run(&["drift"]).ends(2);
            fleet.applies_and_settles();
            each_reads_its_own(&bao, "secret/data/tenants", &two);
            // Another path, other names: the old ones go.
            fleet.head =
                fleet.head.replace("store = \"vault\"", "store = \"vault\"\npath = \"tenants/moved/{tenant}\"");
            fleet.head = fleet.head.replace("approle = \"tenant-{tenant}\"", "approle = \"tenant-{tenant}-app\"");
            fleet.declare("ac-one = {}\nac-two = {}");
            let plan = fleet.run(&["plan"]).ends(0);
            plan.says(
                "programs that read the secret by Vault role auth/approle/role/tenant-ac-one are refused from then on",
            );
            fleet.applies_and_settles();
            each_reads_its_own(
                &bao,
                "secret/data/tenants/moved",
                &[("ac-one", "tenant-ac-one-app"), ("ac-two", "tenant-ac-two-app")],
            );
            assert_eq!(bao.try_api("GET", "auth/approle/role/tenant-ac-one", &Value::Null).unwrap().0, 404);
            // A tenant goes, and what let it in with it.
            let token = token_of(&bao, "tenant-ac-two-app");
            fleet.declare("ac-one = { suspended = true }");
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            assert_eq!(reads(&bao, &token, "secret/data/tenants/moved/ac-one"), 403);
            assert_eq!(policy(&bao, "tenant-ac-two"), None);
            assert_eq!(bao.try_api("GET", "auth/approle/role/tenant-ac-two-app", &Value::Null).unwrap().0, 404);
            // Without the section nothing of it stays, but that of others.
            bao.policy("tenant-somebody", "path \"x\" { capabilities = [\"read\"] }");
            fleet.head =
                fleet.head.replace("[vault.access]", "[archive]\n#").replace("approle =", "#").replace("policy =", "#");
            fleet.declare("ac-one = { suspended = true }");
            fleet.applies_and_settles();
            assert_eq!(
                (policy(&bao, "tenant-ac-one"), fleet.ask("SELECT count(*) FROM tenantry.vault_access")),
                (None, "0".to_owned())
            );
            assert!(policy(&bao, "tenant-somebody").is_some());
            fleet.declare("");
            fleet.run(&REMOVE).ends(0);
        }
    }
}

#[test]
fn what_somebody_else_made_is_neither_changed_nor_deleted() {
    let bao = bao();
    let theirs = "path \"theirs/*\" { capabilities = [\"list\"] }";
    for version in BOTH {
        let fleet = fleet(Admin::Createrole, version, "others", &bao);
        bao.policy("tenant-ao-one", theirs);
        bao.api("POST", "auth/approle/role/tenant-ao-two", json!({"token_policies": ["theirs"]}));
        fleet.declare("ao-one = {}\nao-two = {}\nao-three = {}");
        let blocked = fleet.run(&["apply", "-y"]).ends(1);
        blocked.says("Vault policy tenant-ao-one is there already").says("bao delete auth/approle/role/tenant-ao-two");
        assert_eq!(policy(&bao, "tenant-ao-one").as_deref(), Some(theirs));
        assert_eq!(role(&bao, "ao-two")["token_policies"], json!(["theirs"]));
        bao.api("DELETE", "sys/policies/acl/tenant-ao-one", Value::Null);
        bao.api("DELETE", "auth/approle/role/tenant-ao-two", Value::Null);
        fleet.applies_and_settles();
        // What somebody puts in the place of ours stays when the tenant goes.
        bao.policy("tenant-ao-one", theirs);
        bao.api("POST", "auth/approle/role/tenant-ao-two", json!({"token_policies": ["theirs"]}));
        fleet.run(&["drift"]).ends(2).says("was not made by tenantry for this tenant");
        fleet.declare("ao-three = {}");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(policy(&bao, "tenant-ao-one").as_deref(), Some(theirs));
        assert_eq!(role(&bao, "ao-two")["token_policies"], json!(["theirs"]));
        assert_eq!(policy(&bao, "tenant-ao-two"), None);
        // A registry that is made anew knows of nothing, and takes what is exactly its own.
        fleet.execute("DELETE FROM tenantry.vault_access");
        fleet.run(&["drift"]).ends(2).says("not registered");
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        assert_eq!(policy(&bao, "tenant-ao-three"), None);
        bao.api("DELETE", "sys/policies/acl/tenant-ao-one", Value::Null);
        bao.api("DELETE", "auth/approle/role/tenant-ao-two", Value::Null);
    }
}

#[test]
fn a_saved_plan_holds_it_and_is_stale_when_it_changed_meanwhile() {
    let bao = bao();
    let fleet = fleet(Admin::Superuser, BOTH[0], "saved", &bao);
    fleet.declare("as-one = {}");
    fleet.applies_and_settles();
    bao.api("POST", "auth/approle/role/tenant-as-one", json!({"token_policies": ["tenant-as-one", "a"]}));
    fleet.run(&["plan", "--out", "plan.json"]).ends(0);
    bao.api("POST", "auth/approle/role/tenant-as-one", json!({"token_policies": ["tenant-as-one", "b"]}));
    fleet.run(&["apply", "plan.json", "-y"]).ends(1).says("the saved plan is stale");
    fleet.run(&["plan", "--out", "plan.json"]).ends(0);
    fleet.run(&["apply", "plan.json", "-y"]).ends(0);
    fleet.settled();
    assert_eq!(role(&bao, "as-one")["token_policies"], json!(["tenant-as-one"]));
    assert!(
        fleet.ask("SELECT changes::text FROM tenantry.audit_log ORDER BY id DESC LIMIT 1").contains("set_vault_role")
    );
}

#[test]
fn what_tenantry_may_not_do_in_vault_is_said_before_anything_is_changed() {
    let bao = bao();
    let mut fleet = fleet(Admin::Superuser, BOTH[0], "denied", &bao);
    let with = |name: &str, more: &str| bao.token_with(name, &format!("{POLICY}\n{more}"), json!({}));
    fleet.declare("ad-one = {}");
    fleet.env.insert("VAULT_TOKEN".into(), with("secrets-only", ""));
    fleet.run(&["plan"]).ends(0).says("the tenants' access to Vault");
    let line = "path \"auth/approle/role/tenant-ad-one\" { capabilities = [\"read\"] }";
    fleet.run(&["apply", "-y"]).ends(1).says("could not see the tenants' access to Vault").says(line);
    let reads = "path \"sys/policies/acl/*\" { capabilities = [\"read\"] }\npath \"auth/approle/role/*\" { capabilities = [\"read\"] }";
    fleet.env.insert("VAULT_TOKEN".into(), with("reads", reads));
    fleet.run(&["plan"]).ends(0).says("Vault policy tenant-ad-one");
    let line = "path \"sys/policies/acl/tenant-ad-one\" { capabilities = [\"update\"] }";
    fleet.run(&["apply", "-y"]).ends(1).says(line);
    fleet.assert_no_trace_of("ad-one");
    fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
    fleet.head.push_str("mount = \"elsewhere\"\n");
    fleet.declare("ad-one = {}");
    fleet.run(&["plan"]).ends(1).says("no auth method approle at auth/elsewhere").says("bao auth enable");
    fleet.head = fleet.head.replace("mount = \"elsewhere\"", "");
    fleet.env.insert("VAULT_TOKEN".into(), with("all", MORE));
    fleet.declare("ad-one = {}");
    fleet.applies_and_settles();
}

#[test]
fn a_role_of_kubernetes_is_bound_to_the_tenants_service_account() {
    let bao = bao();
    let mut fleet = fleet(Admin::Superuser, BOTH[1], "kubernetes", &bao);
    fleet.declare("ku-one = {}");
    fleet.applies_and_settles();
    let kubernetes =
        "kubernetes = { role = \"tenant-{tenant}\", service_account = \"{tenant}\", namespace = \"apps\" }";
    fleet.head = fleet.head.replace("approle = \"tenant-{tenant}\"", kubernetes);
    fleet.declare("ku-one = {}");
    fleet.applies_and_settles();
    let role = || bao.api("GET", "auth/kubernetes/role/tenant-ku-one", Value::Null)["data"].clone();
    assert_eq!(bao.try_api("GET", "auth/approle/role/tenant-ku-one", &Value::Null).unwrap().0, 404);
    let found = role();
    assert_eq!(
        (&found["bound_service_account_names"], &found["token_policies"]),
        (&json!(["ku-one"]), &json!(["tenant-ku-one"]))
    );
    // Opened by hand.
    let opened = json!({"token_policies": ["tenant-ku-one"], "bound_service_account_names": ["*"], "bound_service_account_namespaces": ["apps"],
        "bound_service_account_namespace_selector": "{\"matchLabels\": {\"team\": \"blue\"}}", "token_max_ttl": "9m"});
    bao.api("POST", "auth/kubernetes/role/tenant-ku-one", opened);
    fleet.run(&["drift"]).ends(2).says("service accounts *").says("that {\"matchLabels\"");
    fleet.applies_and_settles();
    let found = role();
    assert_eq!((&found["bound_service_account_names"], &found["token_max_ttl"]), (&json!(["ku-one"]), &json!(540)));
    assert_eq!(found["bound_service_account_namespace_selector"], "");
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    assert_eq!(bao.try_api("GET", "auth/kubernetes/role/tenant-ku-one", &Value::Null).unwrap().0, 404);
}

#[test]
fn with_kv_version_1_each_reads_its_own_too() {
    let bao = bao();
    bao.api("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
    let mut fleet = fleet(Admin::Superuser, BOTH[1], "kv1_access", &bao);
    fleet.head = fleet.head.replace("[vault]\n", "[vault]\nmount = \"old\"\n");
    fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
    fleet.declare("av-one = {}\nav-two = {}");
    fleet.applies_and_settles();
    each_reads_its_own(&bao, "old/tenants", &[("av-one", "tenant-av-one"), ("av-two", "tenant-av-two")]);
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
}

#[test]
fn a_secret_is_handed_over_in_a_token_that_unwraps_once() {
    let bao = bao();
    let mut fleet = fleet(Admin::Superuser, BOTH[1], "wrapped", &bao);
    fleet.declare("aw-one = {}");
    fleet.run(&["show", "aw-one", "--wrap", "5m"]).ends(1).says("has no secret of this database's to hand over");
    fleet.applies_and_settles();
    let password = bao.api("GET", "secret/data/tenants/aw-one", Value::Null)["data"]["data"]["password"].clone();
    let shown = fleet.run(&["show", "aw-one", "--wrap", "5m"]).ends(0);
    let shown = shown.says("it unwraps to secret/data/tenants/aw-one once, within 300 seconds");
    assert!(
        !shown.stdout.contains(password.as_str().unwrap()) && shown.stdout.lines().count() == 1,
        "{}",
        shown.stdout
    );
    let json = fleet.run(&["show", "aw-one", "--wrap", "1m", "--format", "json"]).ends(0).json();
    assert_eq!((&json["ttl_seconds"], &json["path"]), (&json!(60), &json!("secret/data/tenants/aw-one")));
    for token in [shown.stdout.trim(), json["token"].as_str().unwrap()] {
        let (status, unwrapped) = bao.as_token(token, "PUT", "sys/wrapping/unwrap");
        assert_eq!((status, &unwrapped["data"]["data"]["password"]), (200, &password));
        assert_eq!(bao.as_token(token, "PUT", "sys/wrapping/unwrap").0, 400, "only once");
    }
    fleet.head = fleet
        .head
        .replace("store = \"vault\"", "")
        .replace("[vault.access]", "[archive]\n#")
        .replace("approle =", "#")
        .replace("policy =", "#");
    fleet.declare("aw-one = {}");
    fleet.run(&["show", "aw-one", "--wrap", "5m"]).ends(1).says("the secrets are in files; only Vault can wrap one");
}

/// examples/deploy/vault-agent, with the addresses and files of the test.
#[test]
fn an_agent_renders_the_tenants_credentials() {
    let bao = bao();
    let fleet = fleet(Admin::Superuser, BOTH[0], "agent", &bao);
    fleet.declare("acme = {}");
    fleet.applies_and_settles();
    let at = "auth/approle/role/tenant-acme";
    let role_id = bao.api("GET", &format!("{at}/role-id"), Value::Null)["data"]["role_id"].clone();
    let secret_id = bao.api("POST", &format!("{at}/secret-id"), json!({}))["data"]["secret_id"].clone();
    fs::create_dir(fleet.path("acme")).unwrap();
    fs::write(fleet.path("acme/role-id"), role_id.as_str().unwrap()).unwrap();
    fs::write(fleet.path("acme/secret-id"), secret_id.as_str().unwrap()).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy/vault-agent/agent.hcl");
    let example = fs::read_to_string(example).unwrap();
    let example = example.replace("https://vault.internal:8200", &bao.address);
    let example = example.replace("/run/acme", fleet.path("acme").to_str().unwrap());
    fs::write(fleet.path("agent.hcl"), example).unwrap();
    let config = format!("-config={}", fleet.path("agent.hcl").display());
    let path = std::env::var_os("PATH").unwrap();
    let mut agent = Command::new(openbao::binary());
    agent.env_clear().env("PATH", path).env("HOME", fleet.path("")).args(["agent", &config, "-exit-after-auth"]);
    let agent = agent.output().unwrap();
    assert!(agent.status.success(), "{}", String::from_utf8_lossy(&agent.stdout));
    let rendered = fs::read_to_string(fleet.path("acme/database.env")).unwrap();
    let secret = bao.api("GET", "secret/data/tenants/acme", Value::Null)["data"]["data"].clone();
    assert!(rendered.starts_with(&format!("DATABASE_URL={}\n", secret["url"].as_str().unwrap())), "{rendered}");
    assert!(rendered.contains(&format!("PGUSER={}\n", secret["username"].as_str().unwrap())), "{rendered}");
    assert!(!fleet.path("acme/secret-id").exists());
}
