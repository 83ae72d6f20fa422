//! What tenantry did, told by its audit log; and the fleet, chosen and sorted.

use crate::fleet::{Admin, BOTH, Fleet};
use serde_json::{Value, json};

fn column<'a>(rows: &'a Value, name: &str) -> Vec<&'a Value> {
    rows.as_array().unwrap().iter().map(|row| &row[name]).collect()
}

#[test]
fn who_did_what_to_whom_is_told_also_of_tenants_that_are_gone() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "as"), (Admin::Createrole, "ac")] {
            let fleet = Fleet::under(admin, version, prefix);
            let [gone, kept] = ["gone", "kept"].map(|name| format!("{prefix}-{name}"));
            fleet.declare(&format!("{kept} = {{}}"));
            // Nothing was ever applied.
            assert_eq!(fleet.run(&["audit", "--format", "json"]).ends(0).json(), json!([]));
            fleet.declare(&format!("{gone} = {{ on_remove = \"drop\" }}\n{kept} = {{}}"));
            fleet.apply();
            fleet.run(&["rotate", &kept, "--auto-approve"]).ends(0);
            fleet.declare(&format!("{kept} = {{}}"));
            fleet.run(&["apply", "--auto-approve", "--allow-removals", "1"]).ends(0);
            let all = fleet.run(&["audit", "--format", "json"]).ends(0).json();
            let of = |tenant: &str| {
                let rows = all.as_array().unwrap().iter().filter(|row| row["tenant"] == tenant);
                rows.map(|row| row["verb"].as_str().unwrap()).collect::<Vec<_>>()
            };
            assert_eq!(of(&gone), ["remove", "create"]);
            assert_eq!(of(&kept), ["update", "create"]);
            assert!(column(&all, "tenant").iter().any(|tenant| tenant.is_null()), "what tenants share");
            assert!(column(&all, "admin").iter().all(|name| **name == fleet.admin_name(admin)), "{all}");
            assert!(column(&all, "client_address").iter().all(|client| **client == "127.0.0.1"), "{all}");
            assert!(column(&all, "version").iter().all(|version| **version == env!("CARGO_PKG_VERSION")));
            let ids: Vec<i64> = column(&all, "id").iter().map(|id| id.as_i64().unwrap()).collect();
            assert!(ids.windows(2).all(|pair| pair[0] > pair[1]), "the newest first: {ids:?}");
            let kinds: Vec<&Value> = column(&all[0]["changes"], "kind");
            assert!(kinds.contains(&&json!("drop_schema")), "{kinds:?}");
            let one = fleet.run(&["audit", &gone, "--limit", "1", "--format", "json"]).ends(0);
            assert_eq!(column(&one.json(), "verb"), ["remove"]);
            one.says("only the newest 1 line; there are more (--limit N)");
            let target = ["audit", "--target", &format!("{prefix}-k*"), "--format", "csv"];
            let csv = fleet.run(&target).ends(0).stdout;
            assert!(csv.starts_with("id,at,tenant,verb,admin,client_address,version,changes\n"), "{csv}");
            assert!(csv.lines().skip(1).count() == 2 && !csv.contains(&gone), "{csv}");
            fleet.run(&["audit", &gone, "--since", "1h"]).ends(0).says(&gone).says("remove").says(" more");
            fleet
                .run(&["audit", &gone, "-v"])
                .ends(0)
                .says("\n  drop_schema  ")
                .says(&format!("{gone}  create  by {}", fleet.admin_name(admin)));
            fleet.run(&["audit", "nobody"]).ends(0).says("No lines.").says("\"nobody\" is neither in tenants.toml");
            fleet.run(&["audit", &gone, "--target", &kept]).ends(1).says("--target leaves out tenant");
        }
    }
}

#[test]
fn an_old_line_and_one_that_another_version_wrote_are_read() {
    let fleet = Fleet::usual(BOTH[0], "audit_old");
    fleet.declare("ao-a = {}");
    fleet.apply();
    fleet.execute(
        "INSERT INTO tenantry.audit_log (at, tenantry_version, tenant, verb, changes) VALUES
           (now() - interval '10 days', '0.0.1', 'ao-a', 'old', '{\"odd\": [1, null]}'),
           ('infinity', '9.9.9' || chr(27), 'ao-a', 'new' || chr(27) || '[2J', '[{\"kind\": 7, \"what\": \"a\\u001bb\"}, 3]'),
           ('-infinity', '9.9.9', 'Not A Key', 'odd', 'null')",
    );
    let text = fleet.run(&["audit"]).ends(0);
    assert!(!text.stdout.contains('\x1b') && text.stdout.contains("Not A Key"), "{}", text.stdout);
    assert!(!fleet.run(&["audit", "-v"]).ends(0).stdout.contains('\x1b'));
    let recent = fleet.run(&["audit", "ao-a", "--since", "7d", "--format", "json"]).ends(0).json();
    assert_eq!(column(&recent, "verb"), ["new\x1b[2J", "create"]);
    let all = fleet.run(&["audit", "ao-a", "--format", "json"]).ends(0).json();
    assert_eq!(all[1]["changes"], json!({"odd": [1, null]}));
    // More than are read at a time.
    fleet.execute("INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes) SELECT '0', 'x' || n, 'many', '[]' FROM generate_series(1, 1000) n");
    let some = fleet.run(&["audit", "--target", "ao-*", "--limit", "2", "--format", "json"]).ends(0);
    assert_eq!(column(&some.json(), "verb"), ["new\x1b[2J", "old"]);
    let many = fleet.run(&["audit", "--limit", "990", "--format", "csv"]).ends(0);
    assert_eq!(many.stdout.lines().count(), 991);
    fleet.run(&["audit", "--since", "never"]).ends(64);
}

#[test]
fn the_fleet_is_sorted_and_chosen() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "ls"), (Admin::Createrole, "lc")] {
            let fleet = Fleet::under(admin, version, prefix);
            let [a, b, c] = ["a", "b", "c"].map(|name| format!("{prefix}-{name}"));
            fleet.declare(&format!("{a} = {{}}\n{b} = {{}}"));
            fleet.apply();
            let schema = format!("tenant_{prefix}_b");
            fleet.execute(&format!(
                "INSERT INTO {schema}.users (email) SELECT 'u' || n FROM generate_series(1, 20000) n; ANALYZE {schema}.users; \
                 UPDATE tenantry.tenants SET password_changed_at = now() - interval '40 days' WHERE tenant = '{a}'"
            ));
            fleet.declare(&format!("{a} = {{}}\n{b} = {{}}\n{c} = {{}}"));
            let tenants = |args: &[&str]| {
                let args = [&["list", "--format", "json"], args].concat();
                let rows = fleet.run(&args).ends(0).json();
                rows.as_array()
                    .unwrap()
                    .iter()
                    .map(|row| row["tenant"].as_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            assert_eq!(tenants(&["--sort", "-size"]), [&b, &a, &c].map(String::as_str));
            assert_eq!(tenants(&["--sort", "-rows,-tenant"]), [&b, &c, &a].map(String::as_str));
            assert_eq!(tenants(&["--sort", "last_migration"])[2], c);
            assert_eq!(tenants(&["--older-than", "30d"]), [a.as_str()]);
            assert_eq!(tenants(&["--state", "absent"]), [c.as_str()]);
            assert_eq!(tenants(&["--version-below", "9"]).len(), 3);
            let newest = fleet.run(&["list", "--format", "json"]).ends(0).json();
            let newest = newest[0]["migration"].to_string();
            assert_eq!(tenants(&["--version-below", &newest, "--state", "active"]), Vec::<String>::new());
            let csv = ["list", "--columns", "tenant,rows,secret_age", "--sort", "-secret_age", "--format", "csv"];
            let csv = fleet.run(&csv).ends(0).stdout;
            assert!(csv.starts_with(&format!("tenant,rows,secret_age\n{a},,3456")), "{csv}");
            assert!(csv.contains(&format!("\n{b},20000,")) && csv.ends_with(&format!("\n{c},,\n")), "{csv}");
            let dated = fleet.run(&["list", "--columns", "last_migration,tenant", "--format", "json"]).ends(0).json();
            assert!(dated[0]["last_migration"].as_str().unwrap().ends_with('Z'), "{dated}");
            assert_eq!(dated[2], json!({"last_migration": null, "tenant": c}));
            fleet
                .run(&["list", "--columns", "tenant,sise"])
                .ends(64)
                .says("no column is called \"sise\"; there are tenant, ");
        }
    }
}
