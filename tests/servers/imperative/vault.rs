//! Credentials that are kept in a real OpenBao; and one that does not answer.

use serde_json::{Value, json};

use super::*;
use crate::openbao::OpenBao;

fn keeping(admin: &DatabaseAdmin, bao: &OpenBao, token: &str) -> DatabaseAdmin {
    let variables = [("VAULT_ADDR", bao.address.as_str()), ("VAULT_TOKEN", token)];
    admin.clone().with_environment(variables.into_iter().collect()).with_secrets(Secrets::Vault(Box::default()))
}

fn kept(bao: &OpenBao, tenant: &str) -> Value {
    bao.api("GET", &format!("secret/data/tenants/{tenant}"), Value::Null)["data"]["data"].clone()
}

#[test]
fn a_secret_says_what_was_returned_and_goes_with_its_tenant() {
    let bao = OpenBao::dev();
    for kind in ADMINS {
        let (fleet, admin) = fleet(kind, BOTH[0], "imp_vault");
        let admin = keeping(&admin, &bao, &bao.token);
        let (schema, user) = if kind == Admin::Superuser { ("va_s", "va_s_user") } else { ("va_c", "va_c_user") };
        let says = |credentials: &TenantCredentials| {
            let secret = kept(&bao, schema);
            assert_eq!(secret["url"], credentials.connection_string);
            assert_eq!(
                [&secret["username"], &secret["password"], &secret["schema"]],
                [&json!(credentials.username), &json!(credentials.password), &json!(credentials.schema_name)]
            );
            assert_eq!(ask(&mut connect(credentials), "SELECT current_schema"), schema);
        };
        let made = admin.create_tenant(config(schema, user)).unwrap();
        says(&made);
        let rotated = admin.rotate(schema, user, "").unwrap();
        assert_ne!(rotated.password, made.password);
        says(&rotated);
        // What is given is kept as it is.
        let given =
            TenantConfig { password: "p:/@ é%".into(), ..config(&format!("{schema}_2"), &format!("{user}_2")) };
        let other = admin.create_tenant(given.clone()).unwrap();
        assert_eq!(
            (&other.password, &kept(&bao, &given.schema_name)["password"]),
            (&given.password, &json!("p:/@ é%"))
        );
        connect(&other);

        admin.remove_tenant(schema, user).unwrap();
        admin.remove_tenant(&given.schema_name, &given.username).unwrap();
        for tenant in [schema, &given.schema_name] {
            let (status, _) = bao.try_api("GET", &format!("secret/metadata/tenants/{tenant}"), &Value::Null).unwrap();
            assert_eq!(status, 404);
        }
        assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{schema}\\_%'")), "0");
    }
}

/// Nothing is half made, and what was there stays as it was.
#[test]
fn a_vault_that_does_not_answer_or_says_no_changes_nothing() {
    let mut bao = OpenBao::durable(None);
    let (fleet, plain) = fleet(Admin::Createrole, BOTH[1], "imp_down");
    let admin = keeping(&plain, &bao, &bao.token);
    let made = admin.create_tenant(config("vd_one", "vd_one_user")).unwrap();
    let untouched = || {
        connect(&made);
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'vd\\_two%'"), "0");
        assert_eq!(fleet.ask("SELECT to_regnamespace('vd_two') IS NULL"), "t");
        assert_eq!(fleet.ask("SELECT string_agg(schema_name, ', ') FROM tenantry.tenants"), "vd_one");
    };
    let all_say = |admin: &DatabaseAdmin, ways_of: usize, says: &str, hint: &str| {
        let ways: [&dyn Fn() -> AdminError; 3] = [
            &|| admin.create_tenant(config("vd_two", "vd_two_user")).unwrap_err(),
            &|| admin.rotate("vd_one", "vd_one_user", "").unwrap_err(),
            &|| admin.remove_tenant("vd_one", "vd_one_user").unwrap_err(),
        ];
        for way in &ways[..ways_of] {
            let error = way();
            assert!(matches!(error, AdminError::Database(_) | AdminError::SqlExecution { .. }), "{error:?}");
            assert!(error.message().contains(says), "{error}");
            assert!(error.hint().unwrap_or_default().contains(hint), "{error}: {:?}", error.hint());
            untouched();
        }
    };
    let address = bao.address.clone();
    bao.seal();
    all_say(&admin, 3, &address, "operator unseal");
    bao.kill();
    all_say(&admin, 3, &address, "is it running");
    // Who only looks needs no secret.
    assert_eq!(admin.list_tenants().unwrap().len(), 1);
    assert_eq!(admin.stats("vd_one").unwrap().username, "vd_one_user");

    bao.start();
    bao.unseal();
    all_say(&keeping(&plain, &bao, "no-such-token"), 3, "token", "log in again");
    let reads = bao.token_with("reads", "path \"secret/*\" { capabilities = [\"read\", \"list\"] }", json!({}));
    all_say(&keeping(&plain, &bao, &reads), 2, "secret/", "policy");
    connect(&admin.create_tenant(config("vd_two", "vd_two_user")).unwrap());
    connect(&admin.rotate("vd_one", "vd_one_user", "").unwrap());

    // What cannot be undone is committed before the secret is deleted; the second time it only does that.
    let error = keeping(&plain, &bao, &reads).remove_tenant("vd_one", "vd_one_user").unwrap_err();
    assert!(error.message().contains("it is committed") && error.message().contains("deleting the secret"), "{error}");
    assert!(error.hint().unwrap_or_default().contains("the next apply"), "{:?}", error.hint());
    assert_eq!(fleet.ask("SELECT to_regnamespace('vd_one') IS NULL"), "t");
    admin.remove_tenant("vd_one", "vd_one_user").unwrap();
    let (status, _) = bao.try_api("GET", "secret/metadata/tenants/vd_one", &Value::Null).unwrap();
    assert_eq!(status, 404);
    assert_eq!(fleet.ask("SELECT string_agg(schema_name, ', ') FROM tenantry.tenants"), "vd_two");
}
