//! An adoption cut off: nobody's login stops working before its new one is in a secret, and the same command again ends in sync.

use crate::fleet::{BOTH, Fleet, MIGRATIONS};
use crate::rules::{cut_off, no_orphans, one_more_apply_ends_in_sync, secret_files};

const POINTS: [&str; 10] = [
    "after_shared_commit",
    "after_registry_settled",
    "before_begin",
    "after_changes",
    "before_secret",
    "before_secret_file_is_renamed",
    "after_secret_file_is_renamed",
    "after_secret",
    "before_commit",
    "after_commit",
];

/// A fleet with a schema and a role that others made, and a schema of the common role.
fn exists(fleet: &Fleet, prefix: &str) {
    let tables: String = MIGRATIONS.map(|(_, sql)| sql).concat();
    let make = |schema: &str, role: &str| {
        format!(
            "CREATE SCHEMA {schema} AUTHORIZATION {role}; SET ROLE {role}; SET search_path = {schema}; {tables}; RESET ROLE"
        )
    };
    fleet.execute(&format!(
        "CREATE ROLE {prefix}_a_user LOGIN PASSWORD 'old'; CREATE ROLE {prefix}_all LOGIN PASSWORD 'old'; {}; {}",
        make(&format!("tenant_{prefix}_a"), &format!("{prefix}_a_user")),
        make(&format!("tenant_{prefix}_b"), &format!("{prefix}_all"))
    ));
    fleet.declare(&format!("{prefix}-a = {{}}\n{prefix}-b = {{}}"));
}

#[test]
fn an_adoption_that_is_cut_off_is_ended_by_the_next() {
    for (n, point) in POINTS.into_iter().enumerate() {
        let prefix = format!("ca{n}");
        let mut fleet = Fleet::usual(BOTH[n % 2], "adoption");
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        exists(&fleet, &prefix);
        let adopt = ["adopt", "-y", "--baseline", "2", "--rotate"];
        assert!(cut_off(&fleet, &adopt, point), "{point} was not passed");
        let adopted = |fleet: &Fleet| {
            let is_there = fleet.ask("SELECT to_regclass('tenantry.tenants')::text") != "-";
            is_there && fleet.ask(&format!("SELECT 1 FROM tenantry.tenants WHERE tenant = '{prefix}-a'")) == "1"
        };
        // Until the registry has it, everything is as it was, the old password too.
        if adopted(&fleet) {
            fleet.log_in(&format!("{prefix}-a"));
        } else {
            let url = fleet.database.url_as(&format!("{prefix}_a_user"), "old");
            let mut old = postgres::Client::connect(&url, postgres::NoTls).unwrap();
            old.batch_execute(&format!("SELECT FROM tenant_{prefix}_a.users")).unwrap();
            let owner = format!("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'tenant_{prefix}_a'");
            assert_eq!(fleet.ask(&owner), format!("{prefix}_a_user"), "{point}");
        }
        fleet.run(&adopt).ends(0);
        one_more_apply_ends_in_sync(&fleet, point);
        fleet.execute(&format!("DROP ROLE {prefix}_all"));
        no_orphans(&fleet, &prefix, &secret_files(&fleet), point);
    }
}
