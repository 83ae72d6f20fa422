//! A key of tenants.toml that changes much of the fleet at once is said with its count, and wants a flag.

use crate::fleet::{BOTH, Fleet};

const APPLY: [&str; 2] = ["apply", "-y"];

/// Twelve: more than what a person reads one by one.
fn tenants(prefix: &str) -> String {
    (b'a'..=b'l').map(|letter| format!("{prefix}-{} = {{}}", letter as char)).collect::<Vec<_>>().join("\n")
}

/// The head with these sections, and the usual tenants.
fn declare_of(prefix: &str, fleet: &mut Fleet, head: &str) {
    fleet.head = head.to_owned();
    fleet.declare(&tenants(prefix));
}

const DROP: &str = "[defaults]\non_remove = \"drop\"\n";

#[test]
fn what_a_mistyped_key_would_do_to_the_fleet_is_held_back() {
    let declare = |fleet: &mut Fleet, head: &str| declare_of("wf", fleet, head);
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "held_back");
        let right = format!("[database]\nshared_schemas = [\"lookup\"]\n{DROP}");
        declare(&mut fleet, &right);
        fleet.apply();
        let state = "SELECT tenant, schema_name, username, owner, secret_path, secret_store, access, on_remove, protected FROM tenantry.tenants ORDER BY 1";
        let outside = "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname ~ '^(l|tenant_wf)' ORDER BY 1";
        let before = (fleet.ask(state), fleet.ask(outside), fleet.secret("wf-a"));
        let shared = |names: &str| format!("[database]\nshared_schemas = [{names}]\n{DROP}");
        let defaults = |more: &str| format!("[database]\nshared_schemas = [\"lookup\"]\n{DROP}{more}\n");
        for (head, key, words) in [
            (shared("\"lokup\""), "database.shared_schemas", "lookup → lokup: 12 of 12 tenants"),
            (shared(""), "database.shared_schemas", "lookup → none: 12 of 12"),
            (
                defaults("[secrets]\npath = \"tenant/{tenant}\""),
                "secrets.path",
                "tenants/{tenant} → tenant/{tenant}: 12 of 12",
            ),
            (defaults("[secrets]\ndir = \"secret\""), "secrets.dir", ".tenantry/secrets → secret: 12 of 12"),
            (defaults("schema = \"{tenant}\""), "defaults.schema", "tenant_{tenant} → {tenant}: 12 of 12"),
            (defaults("username = \"{tenant}_usr\""), "defaults.username", "{tenant}_user → {tenant}_usr: 12 of 12"),
            (defaults("owner = \"{tenant}_own\""), "defaults.owner", "{tenant}_owner → {tenant}_own: 12 of 12"),
            (defaults("access = \"readonly\""), "defaults.access", "full → readonly: 12 of 12"),
            (defaults("password_from = \"the same for all\""), "defaults.password_from", "generated → given: 12 of 12"),
            (
                format!("[database]\nshared_schemas = [\"lookup\"]\nadvertise = {{ host = \"pooler\" }}\n{DROP}"),
                "database.advertise",
                "→ pooler:",
            ),
        ] {
            declare(&mut fleet, &head);
            fleet.run(&["plan"]).ends(0).says(words).says(&format!("apply needs --allow-fleet-change {key}"));
            fleet
                .run(&APPLY)
                .ends(1)
                .says(&format!("if it is a typing error, put {key} back as it was"))
                .says(&format!("tenantry apply --allow-fleet-change {key} --auto-approve"));
            // Another key is not this one.
            let other = if key == "secrets.store" { "vault.mount" } else { "secrets.store" };
            fleet.run(&["apply", "-y", "--allow-fleet-change", other]).ends(1);
            assert_eq!((fleet.ask(state), fleet.ask(outside), fleet.secret("wf-a")), before, "{key}");
        }
        declare(&mut fleet, &right);
        fleet.settled();
        // More care is always welcome; less of it is not.
        declare(&mut fleet, &(right.replace("drop", "archive") + "protected = true\n"));
        fleet.run(&APPLY).ends(0);
        declare(&mut fleet, &right);
        let run = fleet
            .run(&APPLY)
            .ends(1)
            .says("defaults.on_remove archive → drop: 12")
            .says("defaults.protected true → false: 12");
        run.says("--allow-fleet-change defaults.on_remove --allow-fleet-change defaults.protected --auto-approve");
        fleet
            .run(&[
                "apply",
                "-y",
                "--allow-fleet-change",
                "defaults.on_remove",
                "--allow-fleet-change",
                "defaults.protected",
            ])
            .ends(0);
        fleet.settled();
        // Meant, by way of a saved plan: it says what it does, and the flag is wanted where it is applied.
        declare(&mut fleet, &defaults("[secrets]\npath = \"tenant/{tenant}\""));
        fleet.run(&["plan", "--out", "saved"]).ends(0);
        fleet.run(&["show", "saved"]).ends(0).says("--allow-fleet-change secrets.path");
        fleet.run(&["apply", "saved", "-y"]).ends(1).says("tenantry apply saved --allow-fleet-change secrets.path");
        fleet.run(&["apply", "saved", "-y", "--allow-fleet-change", "secrets.path"]).ends(0);
        fleet.settled();
        // Two at once want two flags.
        declare(&mut fleet, &format!("{DROP}schema = \"{{tenant}}\"\n[secrets]\npath = \"tenant/{{tenant}}\""));
        let run = fleet.run(&APPLY).ends(1);
        run.says("--allow-fleet-change database.shared_schemas --allow-fleet-change defaults.schema");
        fleet
            .run(&[
                "apply",
                "-y",
                "--allow-fleet-change",
                "database.shared_schemas",
                "--allow-fleet-change",
                "defaults.schema",
            ])
            .ends(0);
        fleet.settled();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "11"]).ends(1);
        fleet.run(&["apply", "-y", "--allow-removals", "12"]).ends(0);
    }
}

#[test]
fn a_part_of_the_fleet_is_changed_without_a_flag_unless_it_takes_from_the_others() {
    let declare = |fleet: &mut Fleet, head: &str| declare_of("wp", fleet, head);
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "part");
        declare(&mut fleet, &format!("[database]\nshared_schemas = [\"lookup\"]\n{DROP}"));
        fleet.apply();
        // A canary.
        declare(
            &mut fleet,
            &format!("[database]\nshared_schemas = [\"lookup\", \"more\"]\n{DROP}schema = \"{{tenant}}\"\n"),
        );
        fleet.run(&["apply", "-y", "--target", "wp-[ab]"]).ends(0);
        fleet.run(&["plan", "--target", "wp-[a-c]"]).ends(0).says("2 unchanged");
        // Less is shared: the group role's USAGE is everybody's.
        declare(&mut fleet, &format!("[database]\nshared_schemas = [\"more\"]\n{DROP}schema = \"{{tenant}}\"\n"));
        fleet.run(&["apply", "-y", "--target", "wp-c"]).ends(1).says("12 of 12 tenants");
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "12"]).ends(0);
    }
}

/// Relatives of the mistyped key that are held back in other ways.
#[test]
fn other_directories_and_databases_change_nothing_of_the_fleet() {
    let declare = |fleet: &mut Fleet, head: &str| declare_of("wr", fleet, head);
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "relatives");
        declare(&mut fleet, DROP);
        fleet.apply();
        // No migrations; another application's; another database of the same cluster.
        std::fs::create_dir_all(fleet.path("empty")).unwrap();
        declare(&mut fleet, &format!("{DROP}[migrations]\ndir = \"empty\"\n"));
        fleet.run(&["plan"]).ends(0).says("its file is missing").says("12 blocked");
        fleet.run(&APPLY).ends(1);
        std::fs::write(fleet.path("empty/V1__create_users.sql"), "CREATE TABLE invoices (n int);").unwrap();
        fleet.run(&["plan"]).ends(0).says("was changed after it was applied").says("12 blocked");
        fleet.run(&APPLY).ends(1);
        declare(&mut fleet, DROP);
        fleet.settled();
        let another = Fleet::new(version, "another");
        let right = std::mem::replace(&mut fleet.url, another.database.url.clone());
        fleet.run(&["plan"]).ends(0).says("0 to create").says("12 blocked");
        fleet.run(&APPLY).ends(1);
        fleet.url = right;
        fleet.settled();
        // Half of the file is lost.
        fleet.declare(tenants("wr").split_once("wr-g").unwrap().0);
        fleet.run(&APPLY).ends(1).says("the plan would remove 6 tenants");
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "12"]).ends(0);
    }
}
