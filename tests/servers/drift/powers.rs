//! A tenant that somebody gave a power over the others: the first thing that anybody reads.

use crate::fleet::{BOTH, Fleet};

const HAZARD: &str = "privileged_tenant";

#[test]
fn a_tenant_with_a_power_over_the_others_comes_first_in_every_format() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "power");
        let prefix = fleet.database.name.replace('_', "");
        fleet
            .head
            .push_str(&format!("username = \"{prefix}_{{tenant}}_user\"\nowner = \"{prefix}_{{tenant}}_owner\"\n"));
        fleet.declare("one = {}\ntwo = { mode = \"additive\" }\nzoo = {}");
        fleet.applies_and_settles();
        let group = tenantry::plan::group_role(&fleet.database.name);
        fleet.execute(&format!(
            "CREATE ROLE {prefix}_dba SUPERUSER; CREATE ROLE {prefix}_team; GRANT {prefix}_dba TO {prefix}_team;
             GRANT {prefix}_team TO {prefix}_one_user; ALTER ROLE {prefix}_zoo_owner REPLICATION; ALTER ROLE {prefix}_two_user BYPASSRLS;
             GRANT pg_write_all_data TO {prefix}_two_owner; GRANT pg_execute_server_program TO \"{group}\"; GRANT USAGE ON SCHEMA public TO PUBLIC"
        ));
        let text = fleet.run(&["drift", "-v"]).ends(2).stdout;
        let first = text.lines().skip_while(|line| !line.starts_with("database ")).nth(1).unwrap();
        assert!(
            first.contains(HAZARD) && first.contains(&format!("role {group} is a member of pg_execute_server_program")),
            "{text}"
        );
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("database ")).skip(2).take(3).collect();
        for (line, says) in lines.iter().zip([
            format!("tenant one: role {prefix}_one_user is a member of {prefix}_dba, which is SUPERUSER"),
            format!("tenant two: role {prefix}_two_owner is a member of pg_write_all_data; role {prefix}_two_user is BYPASSRLS"),
            format!("tenant zoo: role {prefix}_zoo_owner is REPLICATION"),
        ]) {
            assert!(line.contains(HAZARD) && line.contains(&says), "{says}:\n{text}");
        }
        let markdown = fleet.run(&["plan", "--format", "markdown"]).ends(0).stdout;
        let bullet = markdown.lines().find(|line| line.starts_with("- ")).unwrap();
        assert!(bullet.contains("pg_execute_server_program") || bullet.contains("execute"), "{markdown}");
        let json = fleet.run(&["plan", "--format", "json"]).ends(0).json();
        for n in 0..4 {
            assert_eq!(json["hazards"][n]["kind"], HAZARD, "{json}");
        }
        assert!(json["hazards"].as_array().unwrap().iter().skip(4).all(|hazard| hazard["kind"] != HAZARD), "{json}");
        for tenant in 0..3 {
            assert_eq!(json["tenants"][tenant]["hazards"][0]["kind"], HAZARD, "{json}");
        }
        fleet.run(&["drift", "--report", "report.html"]).ends(2);
        let html = std::fs::read_to_string(fleet.path("report.html")).unwrap();
        let hazard = html.find("class=\"hazard\"").unwrap();
        assert!(html[hazard..].starts_with("class=\"hazard\">role "), "{}", &html[hazard..hazard + 200]);
        // What is healed is healed all the same; what is kept is still said, of a tenant that is as declared.
        fleet.execute(&format!("ALTER ROLE {prefix}_zoo_user CONNECTION LIMIT 3"));
        fleet.apply();
        let left = fleet.run(&["drift"]).ends(0).stdout;
        assert_eq!(left.matches(HAZARD).count(), 1, "{left}");
        assert!(left.contains("tenant two"), "{left}");
        fleet.execute(&format!("DROP ROLE {prefix}_team; DROP ROLE {prefix}_dba"));
    }
}
