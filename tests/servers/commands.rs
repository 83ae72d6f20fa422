//! Every command under each kind of admin, which afterwards is a member of no role that it was not a member of before.

use crate::fleet::{Admin, BOTH, Fleet};

mod superuser {
    #[test]
    fn every_command_works_and_no_membership_is_left() {
        super::every_command(super::Admin::Superuser);
    }
}

mod createrole {
    #[test]
    fn every_command_works_and_no_membership_is_left() {
        super::every_command(super::Admin::Createrole);
    }
}

fn every_command(admin: Admin) {
    for version in BOTH {
        let mut fleet = Fleet::under(admin, version, "commands");
        let before = fleet.memberships(admin);
        // Roles are the cluster's, and two tests share it.
        let prefix = if admin == Admin::Superuser { "cs" } else { "cc" };
        let run = |fleet: &Fleet, args: &[&str], code: i32| {
            let run = fleet.run(args).ends(code);
            assert_eq!(fleet.memberships(admin), before, "after {args:?}");
            run
        };
        fleet.head.push_str("connection_limit = 5\n");
        let declare = |fleet: &Fleet, tenants: &str| fleet.declare(&tenants.replace("xx", prefix));
        let [one, two] = ["one", "two"].map(|name| format!("{prefix}-{name}"));

        std::fs::create_dir(fleet.path("new")).unwrap();
        run(&fleet, &["-c", "new/tenants.toml", "init"], 0);
        declare(
            &fleet,
            "xx-one = {}\nxx-two = { access = \"owner\" }\nxx-rw = { access = \"readwrite\" }\nxx-ro = { access = \"readonly\" }",
        );
        run(&fleet, &["validate"], 0);
        run(&fleet, &["plan", "--detailed-exitcode"], 2).says("4 to create");
        run(&fleet, &["drift"], 2);
        run(&fleet, &["list"], 0);
        run(&fleet, &["show", &one], 0);
        run(&fleet, &["apply", "-y"], 0).says("4 applied");
        run(&fleet, &["verify"], 0);
        run(&fleet, &["rotate", "-y", &one, &two], 0).says("2 applied");
        run(&fleet, &["verify", &one, &two], 0);
        run(&fleet, &["drift", "--metrics", "m.prom", "--report", "r.html"], 0);
        run(&fleet, &["list", "--format", "json"], 0).says(&one);
        run(&fleet, &["show", &two, "--format", "json"], 0);

        // A saved plan with an update of every kind of access, and of a migration.
        fleet.head = fleet.head.replace("connection_limit = 5", "settings = { work_mem = \"8MB\" }");
        declare(
            &fleet,
            "xx-one = { access = \"owner\" }\nxx-two = {}\nxx-rw = { access = \"readonly\", schema = \"xx moved\" }\nxx-ro = { access = \"readwrite\", username = \"xx app\" }",
        );
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
        run(&fleet, &["plan", "--out", "saved.plan"], 0).says("4 to update");
        run(&fleet, &["apply", "-y", "saved.plan"], 0).says("4 applied");
        run(&fleet, &["apply", "-y", "saved.plan"], 1);
        run(&fleet, &["plan", "--detailed-exitcode", "-v"], 0);
        run(&fleet, &["rotate", "-y", "--all"], 0).says("4 applied");
        run(&fleet, &["verify"], 0);
        fleet.migration(
            "V4__late.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS late ON more (id);",
        );
        run(&fleet, &["apply", "-y"], 0);

        // What is removed while the tenant is there, and what is kept of one.
        let mut session = fleet.log_in(&two);
        declare(
            &fleet,
            "xx-one = { access = \"owner\" }\nxx-rw = { access = \"readonly\", schema = \"xx moved\" }\nxx-ro = { access = \"readwrite\", username = \"xx app\", on_remove = \"retain\" }",
        );
        run(&fleet, &["apply", "-y", "--allow-removals", "1"], 0);
        assert!(session.batch_execute("SELECT 1").is_err());
        declare(&fleet, "xx-one = { access = \"owner\" }");
        run(&fleet, &["apply", "-y", "--allow-removals", "2"], 0);
        run(&fleet, &["plan", "--detailed-exitcode"], 0);
        run(&fleet, &["verify"], 0);
        // One that was retained comes back.
        declare(&fleet, "xx-one = { access = \"owner\" }\nxx-ro = { access = \"readwrite\", username = \"xx app\" }");
        run(&fleet, &["apply", "-y"], 0);
        run(&fleet, &["plan", "--detailed-exitcode", "-v"], 0);
        // A tenant that fails leaves none either.
        fleet.migration("V5__fails.sql", "SELECT 1 / 0;");
        run(&fleet, &["apply", "-y"], 1).says("22012");
        std::fs::remove_file(fleet.path("migrations/V5__fails.sql")).unwrap();
        declare(&fleet, "");
        run(&fleet, &["apply", "-y", "--allow-removals", "2"], 0);
        run(&fleet, &["plan", "--detailed-exitcode"], 0);
    }
}
