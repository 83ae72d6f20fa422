//! Passwords that came as md5 verifiers, with a dump or an upgrade.

use crate::fleet::{BOTH, Fleet};

#[test]
fn an_md5_verifier_becomes_a_scram_one_of_the_same_password() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "md5_verifiers");
        fleet.declare("mv-one = {}\nmv-two = { rotation = \"two-user\" }");
        fleet.applies_and_settles();
        // As an upgraded cluster may have it: SCRAM alone would refuse the login, and the password would be set for that.
        let hba = fleet.ask("SHOW hba_file");
        let rules = std::fs::read_to_string(&hba).unwrap();
        std::fs::write(&hba, format!("host all mv_one_user,mv_two_user_a all md5\n{rules}")).unwrap();
        fleet.execute("SELECT pg_reload_conf()");
        let before: Vec<_> = ["mv-one", "mv-two"].map(|tenant| fleet.secret(tenant)).into();
        for secret in &before {
            let password = secret["password"].as_str().unwrap().replace('\'', "''");
            let role = secret["username"].as_str().unwrap();
            fleet.execute(&format!("SET password_encryption = 'md5'; ALTER ROLE {role} PASSWORD '{password}'"));
        }
        fleet.log_in("mv-one");
        let run = fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(2);
        let run = run.says("the same password gets a SCRAM-SHA-256 one");
        run.says("password of mv_two_user_a").says("as in the secret store");
        fleet.run(&["apply", "-y", "--deep"]).ends(0).says("2 applied");
        let left = "SELECT count(*) FROM pg_authid WHERE rolname LIKE 'mv\\_%' AND rolpassword LIKE 'md5%'";
        assert_eq!(fleet.ask(left), "0");
        let after: Vec<_> = ["mv-one", "mv-two"].map(|tenant| fleet.secret(tenant)).into();
        assert_eq!(before, after);
        for tenant in ["mv-one", "mv-two"] {
            fleet.log_in(tenant);
        }
        fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(0);
        std::fs::write(&hba, rules).unwrap();
        fleet.execute("SELECT pg_reload_conf()");
    }
}
