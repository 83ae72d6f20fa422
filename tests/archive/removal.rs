//! `on_remove = "archive"`.

use std::os::unix::fs::PermissionsExt;

use crate::fleet::BOTH;
use crate::project::{REMOVE, assert_no_deputy, manifests, project};

#[test]
fn a_removed_tenant_is_in_its_archive_and_nowhere_else() {
    for version in BOTH {
        let fleet = project(version, "removed");
        fleet.declare("ra-one = { settings = { work_mem = \"6MB\" }, connection_limit = 7 }\nra-own = { access = \"owner\" }\nra-stays = {}");
        fleet.applies_and_settles();
        for tenant in ["ra-one", "ra-own"] {
            fleet
                .log_in(tenant)
                .batch_execute(
                    "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 1000) n; \
                     CREATE TABLE mine (a text); INSERT INTO mine VALUES (E'two\\nlines'), (E'\\\\.'), (NULL)",
                )
                .unwrap();
        }
        fleet.declare("ra-stays = {}");
        fleet.run(&["plan"]).ends(0).says("archive of schema").says("in archives").says("archived first");
        fleet.run(&REMOVE).ends(0).says("Archived: ra-one in ");
        fleet.settled();
        assert_no_deputy(&fleet);
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^ra_o'"), "");
        assert_eq!(fleet.ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant_ra_o'"), "");
        let found = manifests(&fleet);
        assert_eq!(found.len(), 2);
        for (path, manifest) in &found {
            let rows = |table: &str| {
                let tables = manifest["tables"].as_array().unwrap();
                tables.iter().find(|found| found["table"] == table).unwrap()["rows"].as_u64().unwrap()
            };
            assert_eq!((rows("users"), rows("mine"), rows("projects")), (1000, 3, 0));
            assert_eq!(manifest["migrations"].as_array().unwrap().len(), 2);
            for file in [path.clone(), path.with_extension("dump")] {
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
            }
            assert!(!std::fs::read_to_string(path).unwrap().contains("SCRAM"));
        }
        assert_eq!(found[0].1["tenant"], "ra-one");
        assert_eq!(found[0].1["settings"]["work_mem"], "6MB");
        assert_eq!(found[0].1["connection_limit"], 7);
        let dir = fleet.path("archives").metadata().unwrap();
        assert_eq!(dir.permissions().mode() & 0o777, 0o700);
    }
}
