//! A whole life of some tenants while the server logs all it can: no password, verifier or token of it is written anywhere
//! but where it belongs.
mod life;
mod watch;

use crate::fleet::BOTH;
use crate::openbao::OpenBao;
use life::{Life, fleet};
use serde_json::Value;

#[test]
fn with_secrets_in_files() {
    for version in BOTH {
        let mut life = Life::of(fleet(version, "plain_files"), version);
        life.run();
        life.nothing_leaked();
    }
}

#[test]
fn with_secrets_in_openbao() {
    for version in BOTH {
        let bao = OpenBao::dev();
        let all = "path \"secret/*\" { capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"] }";
        let token = bao.token_with("all", all, Value::Null);
        let mut fleet = fleet(version, "plain_bao");
        fleet.head = format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n", bao.address);
        fleet.env.insert("VAULT_TOKEN".into(), token.clone());
        let mut life = Life::of(fleet, version);
        life.bao = Some(bao);
        life.hidden.insert(token);
        life.run();
        life.nothing_leaked();
    }
}

/// A CREATEROLE admin may not keep its statements out of the log itself; it is set so for its role.
#[test]
fn under_an_admin_who_is_no_superuser() {
    for version in BOTH {
        let mut fleet = fleet(version, "plain_weak");
        let database = &fleet.database.name;
        fleet.execute(&format!(
            "CREATE ROLE plain_admin LOGIN CREATEROLE PASSWORD 'of-the-admin'; GRANT CREATE ON DATABASE {database} TO plain_admin"
        ));
        let as_superuser = std::mem::replace(&mut fleet.url, fleet.database.url_as("plain_admin", "of-the-admin"));
        let head = fleet.head.clone();
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        fleet.declare("np-a = {}");
        fleet.run(&["plan"]).ends(0).says("verifiers_logged").says("log_statement = all");
        fleet.url = as_superuser;
        fleet.head = head;
        assert!(!fleet.run(&["plan"]).ends(0).stdout.contains("verifiers_logged"));
        fleet.execute(
            "ALTER ROLE plain_admin SET log_statement = none; ALTER ROLE plain_admin SET log_min_error_statement = panic;
             ALTER ROLE plain_admin SET log_min_duration_statement = -1; ALTER ROLE plain_admin SET log_duration = off;
             ALTER ROLE plain_admin SET pg_stat_statements.track_utility = off",
        );
        fleet.url = fleet.database.url_as("plain_admin", "of-the-admin");
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        let mut life = Life::of(fleet, version);
        // The statements above are the test's own.
        life.begin_anew();
        life.weak = true;
        assert!(!life.tenantry(&["plan"]).ends(0).stdout.contains("verifiers_logged"));
        life.run();
        life.nothing_leaked();
    }
}
