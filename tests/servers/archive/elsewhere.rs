//! What a tenant reads through its own tables, and which lies in another schema.

use super::project::{REMOVE, project};
use crate::fleet::BOTH;

/// A partition hangs on its parent wherever it lies, and no dump of the parent's schema holds its rows.
#[test]
fn a_partition_or_child_in_another_schema_is_neither_dropped_nor_left_out_of_an_archive() {
    for version in BOTH {
        let fleet = project(version, "cold");
        fleet.declare("gp-one = {}");
        fleet.applies_and_settles();
        fleet.log_in("gp-one").batch_execute(
            "CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); CREATE TABLE notes (body text);
             CREATE TABLE events_2021 PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')",
        ).unwrap();
        fleet.execute("CREATE SCHEMA cold");
        for (make, dependent, remedy) in [
            (
                "CREATE TABLE cold.events_2020 PARTITION OF tenant_gp_one.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
                 PARTITION BY RANGE (at); CREATE TABLE cold.rest PARTITION OF cold.events_2020 DEFAULT;
                 INSERT INTO cold.events_2020 VALUES (1, '2020-05-05')",
                "table cold.events_2020",
                "ALTER TABLE tenant_gp_one.events DETACH PARTITION cold.events_2020",
            ),
            (
                "CREATE TABLE cold.notes_2020 () INHERITS (tenant_gp_one.notes)",
                "table cold.notes_2020",
                "ALTER TABLE cold.notes_2020 NO INHERIT tenant_gp_one.notes",
            ),
        ] {
            fleet.execute(make);
            fleet.run(&["archive", "gp-one"]).ends(1).says(dependent).says("in no archive").says(remedy);
            fleet.declare("");
            fleet.run(&REMOVE).ends(1).says(&format!("would be dropped with it: {dependent}")).says(remedy);
            fleet.declare("gp-one = {}");
            fleet.execute(remedy);
            fleet.run(&["archive", "gp-one"]).ends(0);
        }
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT id FROM cold.events_2020"), "1");
    }
}
