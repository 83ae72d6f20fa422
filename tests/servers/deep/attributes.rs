//! Attributes of a tenant's objects that break an application when they change: each by hand, told by `--deep`, and undone.

use crate::fleet::{BOTH, Fleet};

/// What the usual migrations have nothing of.
const MORE: &str = "
CREATE TABLE notes (id int, body text);
CREATE FUNCTION as_number(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (mood AS int) WITH FUNCTION as_number(mood) AS ASSIGNMENT;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION touch();
CREATE RULE kept AS ON DELETE TO notes DO INSTEAD NOTHING;
CREATE TABLE parts (id int, owner bigint REFERENCES users) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (9);
CREATE TRIGGER parted AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION touch();
CREATE DOMAIN word AS text COLLATE \"C\";
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE TABLE later (id int UNIQUE DEFERRABLE);
CREATE STATISTICS both_of ON id, body FROM notes;
";

/// By hand, undone, and what is said of it.
const CHANGES: &[(&str, &str, &str)] = &[
    // An orphan is taken: on the side that refers, and on the side that is referred to.
    (
        "ALTER TABLE SCHEMA.projects DISABLE TRIGGER ALL",
        "ALTER TABLE SCHEMA.projects ENABLE TRIGGER ALL",
        "projects: constraint projects_owner_fkey is FOREIGN KEY (owner) REFERENCES users(id) TRIGGERS DISABLED, not",
    ),
    (
        "ALTER TABLE SCHEMA.users DISABLE TRIGGER ALL",
        "ALTER TABLE SCHEMA.users ENABLE TRIGGER ALL",
        "projects: constraint projects_owner_fkey is FOREIGN KEY (owner) REFERENCES users(id) TRIGGERS DISABLED, not",
    ),
    (
        "ALTER TABLE SCHEMA.parts_1 DISABLE TRIGGER ALL",
        "ALTER TABLE SCHEMA.parts_1 ENABLE TRIGGER ALL",
        "parts: constraint parts_owner_fkey is FOREIGN KEY (owner) REFERENCES users(id) TRIGGERS DISABLED, not",
    ),
    (
        "ALTER TABLE SCHEMA.parts_1 DISABLE TRIGGER parted",
        "ALTER TABLE SCHEMA.parts_1 ENABLE TRIGGER parted",
        "EXECUTE FUNCTION touch() OTHERWISE ON A PARTITION, not",
    ),
    (
        "ALTER TABLE SCHEMA.later DISABLE TRIGGER ALL",
        "ALTER TABLE SCHEMA.later ENABLE TRIGGER ALL",
        "later: constraint later_id_key is UNIQUE (id) DEFERRABLE TRIGGERS DISABLED, not",
    ),
    (
        "ALTER TABLE SCHEMA.notes ENABLE REPLICA TRIGGER touched",
        "ALTER TABLE SCHEMA.notes ENABLE TRIGGER touched",
        "EXECUTE FUNCTION touch() ENABLED REPLICA, not",
    ),
    (
        "ALTER TABLE SCHEMA.notes ENABLE ALWAYS TRIGGER touched",
        "ALTER TABLE SCHEMA.notes ENABLE TRIGGER touched",
        "EXECUTE FUNCTION touch() ENABLED ALWAYS, not",
    ),
    (
        "ALTER TABLE SCHEMA.notes DISABLE RULE kept",
        "ALTER TABLE SCHEMA.notes ENABLE RULE kept",
        "notes: rule kept: also DISABLED",
    ),
    (
        "ALTER TABLE SCHEMA.notes FORCE ROW LEVEL SECURITY",
        "ALTER TABLE SCHEMA.notes NO FORCE ROW LEVEL SECURITY",
        "table notes has FORCE ROW LEVEL SECURITY",
    ),
    (
        "ALTER TABLE SCHEMA.notes REPLICA IDENTITY NOTHING",
        "ALTER TABLE SCHEMA.notes REPLICA IDENTITY DEFAULT",
        "table notes has REPLICA IDENTITY NOTHING",
    ),
    // Not for a table that can be identified.
    (
        "CREATE PUBLICATION SCHEMA_pub FOR TABLE SCHEMA.notes, SCHEMA.users",
        "DROP PUBLICATION SCHEMA_pub",
        "table notes has WITHOUT REPLICA IDENTITY IN PUBLICATION SCHEMA_pub",
    ),
    (
        "CREATE PUBLICATION SCHEMA_pub FOR TABLE SCHEMA.parts",
        "DROP PUBLICATION SCHEMA_pub",
        "WITHOUT REPLICA IDENTITY IN PUBLICATION SCHEMA_pub, not PARTITION OF parts",
    ),
    (
        "DROP CAST (SCHEMA.mood AS int)",
        "CREATE CAST (SCHEMA.mood AS int) WITH FUNCTION SCHEMA.as_number(SCHEMA.mood) AS ASSIGNMENT",
        "cast (mood AS integer) is missing",
    ),
    (
        "CREATE CAST (SCHEMA.mood AS bigint) WITH INOUT AS IMPLICIT",
        "DROP CAST (SCHEMA.mood AS bigint)",
        "an extra cast (mood AS bigint)",
    ),
    (
        "ALTER VIEW SCHEMA.busy ALTER COLUMN id SET DEFAULT 7",
        "ALTER VIEW SCHEMA.busy ALTER COLUMN id DROP DEFAULT",
        "view busy has an extra column id (integer DEFAULT 7)",
    ),
    (
        "ALTER TEXT SEARCH CONFIGURATION SCHEMA.plain DROP MAPPING FOR word",
        "ALTER TEXT SEARCH CONFIGURATION SCHEMA.plain ADD MAPPING FOR word WITH simple",
        "text search configuration plain is defined differently",
    ),
    (
        "ALTER TABLE SCHEMA.projects DROP CONSTRAINT projects_owner_fkey, ADD CONSTRAINT projects_owner_fkey FOREIGN KEY (owner) REFERENCES SCHEMA.users NOT VALID",
        "ALTER TABLE SCHEMA.projects VALIDATE CONSTRAINT projects_owner_fkey",
        "NOT VALID, not",
    ),
    (
        "ALTER TABLE SCHEMA.projects ALTER CONSTRAINT projects_owner_fkey DEFERRABLE",
        "ALTER TABLE SCHEMA.projects ALTER CONSTRAINT projects_owner_fkey NOT DEFERRABLE",
        "DEFERRABLE, not",
    ),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'SCHEMA.users_email_key'::regclass",
        "UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'SCHEMA.users_email_key'::regclass",
        "UNIQUE (email) INVALID, not",
    ),
    ("ALTER SEQUENCE SCHEMA.tickets CYCLE", "ALTER SEQUENCE SCHEMA.tickets NO CYCLE", "CYCLE, not"),
    (
        "DROP STATISTICS SCHEMA.both_of",
        "CREATE STATISTICS SCHEMA.both_of ON id, body FROM SCHEMA.notes; ALTER STATISTICS SCHEMA.both_of OWNER TO at_a_owner",
        "notes lacks statistics both_of",
    ),
    (
        "ALTER FUNCTION SCHEMA.touch() SECURITY DEFINER",
        "ALTER FUNCTION SCHEMA.touch() SECURITY INVOKER",
        "function touch() is defined differently",
    ),
];

#[test]
fn what_breaks_an_application_is_told_attribute_by_attribute() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "attributes");
        fleet.migration("V3__more.sql", MORE);
        fleet.declare("at-a = {}\nat-b = {}");
        fleet.applies_and_settles();
        fleet.run(&["drift", "--deep"]).ends(0);
        let sql = |sql: &str| sql.replace("SCHEMA", "tenant_at_a");
        for (by_hand, undone, says) in CHANGES {
            fleet.execute(&sql(by_hand));
            fleet.run(&["drift", "--deep"]).ends(2).says(&sql(says)).says("1 different");
            fleet.execute(&sql(undone));
        }
        fleet.run(&["drift", "--deep"]).ends(0);
        let major: i32 = fleet.ask("SELECT current_setting('server_version_num')::int / 10000").parse().unwrap();
        if major >= 15 {
            fleet.execute("CREATE PUBLICATION at_schemas FOR TABLES IN SCHEMA tenant_at_a");
            fleet.run(&["drift", "--deep"]).ends(2).says("IN PUBLICATION at_schemas");
            fleet.execute("DROP PUBLICATION at_schemas");
            for what in ["tenant_at_a.users (email)", "tenant_at_a.users WHERE (email <> 'nobody')"] {
                fleet.execute(&format!("CREATE PUBLICATION at_part FOR TABLE {what}"));
                let words = "table users has WITHOUT COLUMNS OF ITS REPLICA IDENTITY IN PUBLICATION at_part";
                fleet.run(&["drift", "--deep"]).ends(2).says(words);
                let run = fleet.run(&["verify", "at-a"]).ends(0);
                run.says("update published tables").says("SQLSTATE 42P10").says("the replica identity");
                fleet.execute("DROP PUBLICATION at_part");
            }
            // What identifies a row is in it.
            fleet.execute("CREATE PUBLICATION at_part FOR TABLE tenant_at_a.users (id, email) WHERE (id > 7)");
            fleet.run(&["drift", "--deep"]).ends(0);
            let run = fleet.run(&["verify", "at-a"]).ends(0);
            assert!(!run.stdout.contains("published"), "{run:?}");
            fleet.execute("DROP PUBLICATION at_part");
        }
        if major >= 18 {
            fleet.execute("ALTER TABLE tenant_at_a.users DROP CONSTRAINT users_email_not_null, ADD CONSTRAINT users_email_not_null NOT NULL email NOT VALID");
            fleet.run(&["drift", "--deep"]).ends(2).says("column email is text NOT NULL NOT VALID, not text NOT NULL");
            fleet.execute("ALTER TABLE tenant_at_a.users VALIDATE CONSTRAINT users_email_not_null");
        }
        // Tuning, and what an administrator replicates, is no difference.
        fleet.execute(
            "ALTER TABLE tenant_at_a.users ALTER COLUMN email SET STATISTICS 500, ALTER COLUMN email SET (n_distinct = 10); \
             ALTER STATISTICS tenant_at_a.both_of SET STATISTICS 10; CLUSTER tenant_at_a.users USING users_pkey; \
             CREATE PUBLICATION at_some FOR TABLE tenant_at_a.users; COMMENT ON TABLE tenant_at_a.users IS 'ours'",
        );
        fleet.run(&["drift", "--deep"]).ends(0);
        fleet.execute("DROP PUBLICATION at_some");
    }
}
