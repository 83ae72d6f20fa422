//! Who holds so many locks that others find no room.

use crate::fleet::{BOTH, Fleet, ask};

/// Advisory locks are limited by nothing but the room there is.
#[test]
fn who_crowds_the_lock_table_is_noted() {
    for (version, name) in BOTH.into_iter().zip(["lkv", "lkw"]) {
        let fleet = Fleet::usual(version, name);
        let tenant = format!("{name}-one");
        fleet.declare(&format!("{tenant} = {{}}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        let take = |client: &mut postgres::Client, n: i32| {
            let sql = format!("SELECT count(pg_advisory_lock_shared(n)) FROM generate_series(1, {n}) n");
            assert_eq!(ask(client, &sql), n.to_string());
        };
        let mut few = fleet.log_in(&format!("{name}-two"));
        take(&mut few, 900);
        let noted = fleet.run(&["list"]).ends(0);
        assert!(!noted.stderr.contains(&format!("{name}_two_user")), "{noted:?}");
        let mut many = fleet.log_in(&tenant);
        take(&mut many, 1500);
        let words = format!("role {name}_one_user (tenant {tenant}) holds 150");
        fleet.run(&["list"]).ends(0).says(&words).says("1500 of them advisory, in 1 session");
        fleet.run(&["verify"]).ends(0).says(&words);
        let listed = fleet.run(&["list", "--format", "json"]).json();
        assert!(listed[0]["locks"].as_i64().unwrap() >= 1500 && listed[1].get("locks").is_none(), "{listed}");
        let verified = fleet.run(&["verify", "--format", "json"]).json();
        assert_eq!(verified["many_locks"][0]["tenant"], *tenant, "{verified}");
        assert_eq!(verified["many_locks"][0]["advisory"], 1500, "{verified}");
    }
}
