//! An extension that somebody made where no tenant looks.

use crate::fleet::{Admin, BOTH, Fleet};

fn fleet(admin: Admin, version: crate::postgres_server::Version, policy: &str) -> Fleet {
    let mut fleet = Fleet::under(admin, version, "elsewhere");
    std::fs::remove_file(fleet.path("migrations/V1__create_users.sql")).unwrap();
    std::fs::remove_file(fleet.path("migrations/V2__create_projects.sql")).unwrap();
    fleet.migration("V1__users.sql", "CREATE EXTENSION IF NOT EXISTS citext;\nCREATE TABLE users (email citext);");
    let prefix = fleet.database.name.replace('_', "");
    fleet.head = format!(
        "[database]\nshared_schemas = [\"ext\"]\nextensions = [\"citext\"]\n{policy}\n[defaults]\non_remove = \"drop\"\n\
         username = \"{prefix}_{{tenant}}_user\"\nowner = \"{prefix}_{{tenant}}_owner\"\n"
    );
    fleet.execute("CREATE EXTENSION citext SCHEMA public");
    fleet.declare("acme = {}");
    fleet
}

#[test]
fn an_extension_in_a_closed_schema_is_said_with_what_to_do_and_nothing_is_changed() {
    for version in BOTH {
        let fleet = fleet(Admin::Superuser, version, "");
        let moves = "ALTER EXTENSION \"citext\" SET SCHEMA \"ext\"";
        fleet
            .run(&["plan"])
            .ends(0)
            .says("hazard extension_elsewhere: extension citext is in schema public")
            .says(moves);
        fleet
            .try_apply()
            .ends(1)
            .says("where no tenant can use it; nothing was changed")
            .says("add \"public\" to shared_schemas");
        fleet.assert_no_trace_of("acme");
        fleet.execute(&format!("CREATE SCHEMA ext; {moves}"));
        fleet.applies_and_settles();
        assert!(!fleet.run(&["plan"]).ends(0).stdout.contains("hazard"));
    }
}

#[test]
fn a_schema_with_an_extension_that_is_shared_serves_as_it_is() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let mut fleet = fleet(admin, version, "public_schema = \"keep\"");
            fleet.run(&["plan"]).ends(0).says("hazard extension_elsewhere");
            fleet.head = fleet.head.replace("[\"ext\"]", "[\"ext\", \"public\"]");
            if admin == Admin::Createrole {
                fleet
                    .execute(&format!("GRANT USAGE ON SCHEMA public TO {} WITH GRANT OPTION", fleet.admin_name(admin)));
            }
            fleet.declare("acme = {}");
            fleet.applies_and_settles();
        }
    }
}
