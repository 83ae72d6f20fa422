//! Between the look that a plan is made of and the writing somebody puts a trigger on the registry: nothing is written through it.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::fleet::{BOTH, Fleet};

const PLANT: &str = "CREATE SCHEMA IF NOT EXISTS dba; CREATE FUNCTION dba.evil() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE 'ALTER ROLE {user} CREATEDB'; RETURN NEW; END $$;
    CREATE TRIGGER t BEFORE INSERT OR UPDATE ON tenantry.tenants FOR EACH ROW EXECUTE FUNCTION dba.evil();
    CREATE TRIGGER t BEFORE INSERT ON tenantry.audit_log FOR EACH ROW EXECUTE FUNCTION dba.evil()";

#[test]
fn a_trigger_that_comes_between_looking_and_writing_is_written_through_by_nobody() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "between");
        let user = format!("{}_user", fleet.database.name);
        let declare = |limit: u32| {
            fleet.declare(&format!(
                "one = {{ username = \"{user}\", owner = \"{user}_o\", connection_limit = {limit} }}"
            ));
        };
        declare(9);
        fleet.applies_and_settles();
        for (limit, point) in [(8, "before_apply"), (7, "after_registry_settled"), (6, "before_begin")] {
            declare(limit);
            let mut command = fleet.command(&["apply", "-y"]);
            command.env("FAILPOINTS", format!("{point}=sleep(3000)")).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut apply = command.spawn().unwrap();
            let mut lines = BufReader::new(apply.stdout.take().unwrap()).lines();
            // From here on the plan is made.
            assert!(lines.any(|line| line.unwrap().starts_with("Plan: ")), "{point}");
            fleet.execute(&PLANT.replace("{user}", &user));
            let rest: Vec<String> = lines.map(Result::unwrap).collect();
            let mut errors = String::new();
            apply.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            let said = format!("{}\n{errors}", rest.join("\n"));
            assert_eq!(apply.wait().unwrap().code(), Some(1), "{point}: {said}");
            assert!(
                said.contains("trigger t on tenantry.") && said.contains("would run as tenantry"),
                "{point}: {said}"
            );
            let role = fleet.ask(&format!("SELECT rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = '{user}'"));
            assert_eq!(role, format!("f, {}", limit + 1), "{point}: nothing was written");
            fleet.applies_and_settles();
            fleet.execute("DROP SCHEMA dba CASCADE");
        }
    }
}
