//! Roles are the cluster's: another database is closed to a tenant when PUBLIC may not connect to it.

use crate::fleet::{BOTH, Fleet, log_in};

#[test]
fn a_tenant_enters_another_tenants_database_only_while_public_may() {
    for version in BOTH {
        let (one, two) = (Fleet::usual(version, "city"), Fleet::usual(version, "town"));
        one.declare("ci-one = {}");
        one.applies_and_settles();
        two.declare("to-one = {}");
        two.applies_and_settles();
        let mut elsewhere = one.secret("ci-one");
        let url = elsewhere["url"].as_str().unwrap().replace(&one.database.name, &two.database.name);
        elsewhere["url"] = url.into();
        let mut client = log_in(&elsewhere);
        for sql in ["SELECT FROM tenant_to_one.users", "CREATE TABLE tenant_to_one.made ()", "SET ROLE to_one_user"] {
            assert_eq!(crate::fleet::refused(&mut client, sql), "42501", "{sql}");
        }
        one.run(&["verify"]).ends(0).says(&two.database.name).says("REVOKE CONNECT ON DATABASE");
        two.execute(&format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", two.database.name));
        let error = postgres::Client::connect(elsewhere["url"].as_str().unwrap(), postgres::NoTls).err().unwrap();
        assert_eq!(error.code().unwrap().code(), "42501");
        // Its own tenants are let in by their group role.
        two.applies_and_settles();
        two.log_in("to-one");
    }
}
