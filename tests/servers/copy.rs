//! A new tenant that begins with another one's rows.

use crate::fleet::{Admin, BOTH, Fleet};
use crate::postgres_server::pg_dump_dir;

/// Something of everything that is in the way of rows: cycles of foreign keys, triggers, generated columns, partitions, types of the
/// schema's own, rows that the migrations bring.
const STRUCTURE: &str = r#"
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE DOMAIN mail AS text CHECK (value LIKE '%@%');
CREATE TYPE place AS (x int, y int, label text);
CREATE SEQUENCE tickets;
CREATE TABLE "Teams ""A""" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, lead bigint, "select" text,
    parent bigint REFERENCES "Teams ""A""" (id)
);
CREATE TABLE people (
    id serial PRIMARY KEY, gone int, team bigint NOT NULL REFERENCES "Teams ""A""" (id), mail mail UNIQUE,
    shout text GENERATED ALWAYS AS (upper(mail::text)) STORED, mood mood NOT NULL DEFAULT 'calm', moods mood[], at place,
    raw bytea, doc jsonb, tags text[], span int4range, mails mail[], born date, odd text DEFAULT 'x'
);
ALTER TABLE people DROP COLUMN gone;
ALTER TABLE "Teams ""A""" ADD CONSTRAINT lead FOREIGN KEY (lead) REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT lead ON "Teams ""A""" IS 'it''s one of them';
CREATE TABLE fired (n int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO fired VALUES (new.id); RETURN new; END$$;
CREATE TRIGGER fires BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION fire();
CREATE TRIGGER sleeps BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION fire();
ALTER TABLE people DISABLE TRIGGER sleeps;
CREATE TABLE events (kind text NOT NULL, at date NOT NULL, team bigint REFERENCES "Teams ""A""" (id)) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a');
CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events_rest FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE events_new PARTITION OF events_rest DEFAULT;
CREATE TABLE kinds (kind text PRIMARY KEY);
INSERT INTO kinds VALUES ('of the migrations');
CREATE TABLE nothing ();
CREATE TABLE secretive (a int);
ALTER TABLE secretive ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON secretive USING (a > 1);
CREATE VIEW loud AS SELECT shout FROM people;
CREATE MATERIALIZED VIEW sizes AS SELECT team, count(*) AS people FROM people GROUP BY team;
"#;

const ROWS: &str = r#"
BEGIN;
INSERT INTO "Teams ""A""" ("select", parent, lead) VALUES ('one', 2, 2), (E'two\n\t\\N', 1, 1);
INSERT INTO people (team, mail, mood, moods, at, raw, doc, tags, span, mails, born, odd) VALUES
    (1, 'a@b', 'busy', '{calm,busy}', '(1,,"l, ""x""")', '\x00ff5c', '{"a": [1, null]}', '{"a,b",NULL,""}', '[1,5)', '{a@b,c@d}', 'infinity', NULL),
    (2, NULL, 'calm', NULL, NULL, NULL, NULL, NULL, 'empty', NULL, '0044-03-15 BC', E'\\.\n''\r$$');
COMMIT;
INSERT INTO people (team) SELECT 1 FROM generate_series(1, 3000);
DELETE FROM people WHERE id BETWEEN 100 AND 2000;
INSERT INTO events SELECT k, d::date, 1 FROM unnest('{a,b,c}'::text[]) k, unnest('{2001-01-01,2024-01-01}'::text[]) d;
DELETE FROM kinds;
INSERT INTO kinds VALUES ('my own');
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO secretive VALUES (1), (2);
SELECT setval('tickets', 41, false);
REFRESH MATERIALIZED VIEW sizes;
"#;

/// What can be told apart of two tenants' tables, sequences and materialized views.
fn contents(fleet: &Fleet, tenant: &str) -> String {
    let schema = format!("tenant_{tenant}");
    let of = |table: &str| {
        let name = format!("\"{schema}\".\"{}\"", table.replace('"', "\"\""));
        let all = format!(
            "SELECT count(*), md5(string_agg(to_jsonb(t)::text, '|' ORDER BY to_jsonb(t)::text)) FROM {name} t"
        );
        format!("{table}: {}\n", fleet.ask(&all))
    };
    let tables = [
        "Teams \"A\"",
        "people",
        "fired",
        "events_a",
        "events_old",
        "events_new",
        "kinds",
        "nothing",
        "secretive",
        "sizes",
    ];
    let stands =
        format!("SELECT sequencename::text, last_value FROM pg_sequences WHERE schemaname = '{schema}' ORDER BY 1; ");
    tables.map(of).concat() + &fleet.ask(stands.trim_end_matches("; "))
}

fn full(admin: Admin, version: crate::postgres_server::Version, prefix: &str, access: &str) -> Fleet {
    let mut fleet = Fleet::under(admin, version, prefix);
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), pg_dump_dir(version));
    std::fs::remove_dir_all(fleet.path("migrations")).unwrap();
    std::fs::create_dir(fleet.path("migrations")).unwrap();
    fleet.migration("V1__all.sql", STRUCTURE);
    fleet.declare(&format!("{prefix}_from = {{ access = \"{access}\" }}"));
    fleet.apply();
    fleet.execute(&format!("SET ROLE \"{prefix}_from_owner\"; SET search_path = \"tenant_{prefix}_from\"; {ROWS}"));
    fleet
}

#[test]
fn rows_sequences_and_views_are_those_of_one_moment_and_nothing_fires() {
    for version in BOTH {
        for (admin, prefix, access) in [(Admin::Superuser, "cs", "full"), (Admin::Createrole, "cc", "readwrite")] {
            let fleet = full(admin, version, prefix, access);
            let (from, to) = (format!("{prefix}_from"), format!("{prefix}_to"));
            fleet.declare(&format!("{from} = {{ access = \"{access}\" }}\n{to} = {{ access = \"{access}\" }}"));
            let held = fleet.memberships(admin);
            let before = contents(&fleet, &from);
            let run = fleet.run(&["copy", &from, &to, "--data", "-y"]).ends(0);
            run.says(&format!("rows of tenant {from}"));
            assert_eq!(contents(&fleet, &to), before);
            assert_eq!(contents(&fleet, &from), before);
            fleet.settled();
            assert_eq!(fleet.memberships(admin), held);
            fleet.run(&["drift", "--deep"]).ends(0);
            let foreign = format!("tenant_{to}");
            let ask = |sql: &str| fleet.ask(&sql.replace("$s", &foreign));
            assert_eq!(
                ask(
                    "SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE conname = 'lead' AND connamespace = '\"$s\"'::regnamespace"
                ),
                "it's one of them"
            );
            assert_eq!(
                ask(
                    "SELECT count(*) FROM pg_trigger WHERE tgrelid = '\"$s\".people'::regclass AND tgname = 'sleeps' AND tgenabled = 'D'"
                ),
                "1"
            );
            // It works on: the next number is free, the keys hold, the trigger fires.
            let mut client = fleet.log_in(&to);
            client
                .batch_execute("INSERT INTO people (team) VALUES (2); INSERT INTO \"Teams \"\"A\"\"\" DEFAULT VALUES")
                .unwrap();
            assert_eq!(ask("SELECT (SELECT max(n) FROM \"$s\".fired) = (SELECT max(id) FROM \"$s\".people)"), "t");
            let error = client.batch_execute("INSERT INTO people (team) VALUES (77)").unwrap_err();
            assert_eq!(error.code().map(|code| code.code()), Some("23503"));
            assert_eq!(contents(&fleet, &from), before);
            let audited = format!(
                "SELECT DISTINCT jsonb_path_query(changes, '$[*].kind') #>> '{{}}' FROM tenantry.audit_log WHERE tenant = '{to}' AND changes @? '$[*] ? (@.kind == \"copy_rows\")'"
            );
            assert!(fleet.ask(&audited).contains("copy_rows"));
        }
    }
}

#[test]
fn without_data_it_has_what_the_migrations_bring() {
    let fleet = full(Admin::Superuser, BOTH[0], "cn", "full");
    fleet.declare("cn_from = {}\ncn_to = {}");
    fleet.run(&["copy", "cn_from", "cn_to", "-y"]).ends(0);
    assert_eq!(fleet.ask("SELECT kind FROM \"tenant_cn_to\".kinds"), "of the migrations");
    assert_eq!(fleet.ask("SELECT count(*) FROM \"tenant_cn_to\".people"), "0");
    fleet.settled();
}

#[test]
fn a_copy_that_would_not_be_one_is_refused_and_leaves_nothing() {
    let fleet = full(Admin::Superuser, BOTH[0], "cr", "full");
    fleet.declare("cr_from = {}\ncr_to = {}\ncr_new = {}");
    let copy = |from: &str, to: &str| fleet.run(&["copy", from, to, "--data", "-y"]).ends(1);
    copy("cr_form", "cr_to").says("tenant \"cr_form\" is not in tenants.toml");
    copy("cr_from", "cr_too").says("tenant \"cr_too\" is not in tenants.toml");
    copy("cr_to", "cr_to").says("a copy of itself");
    copy("cr_new", "cr_to").says("has not been created in this database");
    fleet.run(&["apply", "-y", "--target", "cr_new"]).ends(0);
    copy("cr_from", "cr_new").says("tenant cr_new already exists (active)");
    fleet
        .run(&["copy", "cr_from", "cr_to", "--data"])
        .ends(1)
        .says("in a script: tenantry copy cr_from cr_to --data --auto-approve");

    // What the tenant made itself.
    let by_hand =
        |sql: &str| fleet.execute(&format!("SET ROLE \"cr_from_owner\"; SET search_path = \"tenant_cr_from\"; {sql}"));
    by_hand("CREATE TABLE mine AS SELECT 1 AS a");
    copy("cr_from", "cr_to").says("rows in tables that the migrations do not create (mine)");
    by_hand("DROP TABLE mine; ALTER TABLE kinds ADD COLUMN more int");
    copy("cr_from", "cr_to").says("table kinds differs from what the migrations create: they give it no column more");
    by_hand("ALTER TABLE kinds DROP COLUMN more; ALTER TABLE fired ALTER COLUMN n TYPE text");
    copy("cr_from", "cr_to").says("column n of table fired is text and not integer");
    by_hand("ALTER TABLE fired ALTER COLUMN n TYPE int USING n::int; ALTER TABLE fired RENAME TO shot");
    copy("cr_from", "cr_to").says("lacks table fired");
    by_hand("CREATE VIEW fired AS SELECT 1 AS n");
    copy("cr_from", "cr_to").says("lacks table fired");
    by_hand("DROP VIEW fired; ALTER TABLE shot RENAME TO fired; ALTER TABLE secretive FORCE ROW LEVEL SECURITY");
    // A superuser reads it all the same.
    fleet.assert_no_trace_of("cr_to");
    by_hand("SELECT lo_create(0)");
    copy("cr_from", "cr_to").says("has 1 large object, which are not copied");
    by_hand("SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = '\"cr_from_owner\"'::regrole");
    // Rows that its own constraints do not bear: the foreign key is not enforced in the tenant they come from.
    fleet
        .execute("SET session_replication_role = replica; UPDATE \"tenant_cr_from\".people SET team = 99 WHERE id = 1");
    copy("cr_from", "cr_to").says("23503");
    fleet.assert_no_trace_of("cr_to");
    fleet.execute("SET session_replication_role = replica; UPDATE \"tenant_cr_from\".people SET team = 1 WHERE id = 1");

    fleet.migration("V2__more.sql", "CREATE TABLE more (id int);");
    copy("cr_from", "cr_to").says("tenant cr_from has V1 and this one V2").says("tenantry apply --target cr_from");
    fleet.assert_no_trace_of("cr_to");
    fleet.run(&["apply", "-y", "--target", "cr_from"]).ends(0);
    fleet.run(&["copy", "cr_from", "cr_to", "--data", "-y"]).ends(0);
    assert_eq!(contents(&fleet, "cr_to"), contents(&fleet, "cr_from"));
}

#[test]
fn new_tenants_begin_as_their_template_and_go_their_own_way() {
    for (admin, prefix) in [(Admin::Superuser, "ct"), (Admin::Createrole, "cu")] {
        let fleet = full(admin, BOTH[1], prefix, "full");
        let from = format!("{prefix}_from");
        let new = |n: usize| format!("{prefix}_new{n} = {{ template = \"{from}\", template_data = true }}\n");
        fleet.declare(&format!("{from} = {{}}\n{}", (0..6).map(new).collect::<String>()));
        fleet.applies_and_settles();
        let before = contents(&fleet, &from);
        for n in 0..6 {
            assert_eq!(contents(&fleet, &format!("{prefix}_new{n}")), before);
        }
        fleet.log_in(&format!("{prefix}_new1")).batch_execute("DELETE FROM kinds").unwrap();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);

        // A template that is made by the same apply.
        fleet.declare(&format!(
            "{from} = {{}}\n{}{prefix}_t2 = {{}}\n{prefix}_aa = {{ template = \"{prefix}_t2\", template_data = true }}",
            (0..6).map(new).collect::<String>()
        ));
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(&format!("SELECT kind FROM \"tenant_{prefix}_aa\".kinds")), "of the migrations");
    }
}

/// Files that run outside of a transaction, or whose COMMIT matters, fill new tables all the same.
#[test]
fn files_of_their_own_transactions_run_before_the_rows_are_copied() {
    for version in BOTH {
        let fleet = full(Admin::Superuser, version, "ci", "full");
        fleet.migration(
            "V2__index.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_mail ON people (mail);",
        );
        fleet.migration("V3__label.sql", "ALTER TYPE mood ADD VALUE 'glad';");
        fleet.migration(
            "V4__use.sql",
            "ALTER TABLE people ALTER COLUMN mood SET DEFAULT 'glad'; UPDATE people SET odd = odd || '!';",
        );
        fleet.migration("V5__vacuum.sql", "-- tenantry: no-transaction\nVACUUM people;");
        fleet.applies_and_settles();
        let before = contents(&fleet, "ci_from");
        fleet.declare("ci_from = {}\nci_to = {}");
        fleet.run(&["copy", "ci_from", "ci_to", "--data", "-y"]).ends(0);
        assert_eq!(contents(&fleet, "ci_to"), before);
        fleet.settled();
        fleet.run(&["drift", "--deep"]).ends(0);
    }
}

#[test]
fn an_archive_is_restored_as_another_tenant() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "as"), (Admin::Createrole, "ac")] {
            let fleet = full(admin, version, prefix, "full");
            let (from, to) = (format!("{prefix}_from"), format!("{prefix}_to"));
            let before = contents(&fleet, &from);
            let made = fleet.run(&["archive", &from, "--format", "json"]).ends(0).json();
            let dump = made["dump"].as_str().unwrap().to_owned();
            // What became of it since is no matter.
            fleet.log_in(&from).batch_execute("DELETE FROM kinds; DELETE FROM nothing").unwrap();
            let restore = |args: &[&str]| fleet.run(&[&["restore", &dump, "-y"], args].concat());
            restore(&["--as", &to]).ends(1).says("is not in tenants.toml");
            fleet.declare(&format!("{from} = {{}}\n{to} = {{ username = \"{prefix} else\" }}"));
            restore(&["--as", &from]).ends(1).says("already exists (active)");
            restore(&["--as", &to]).ends(0).says(&format!("as tenant {to}"));
            assert_eq!(contents(&fleet, &to), before);
            fleet.settled();
            fleet.run(&["drift", "--deep"]).ends(0);
            fleet
                .log_in(&to)
                .batch_execute("INSERT INTO people (team) VALUES (2); INSERT INTO kinds VALUES ('x')")
                .unwrap();
            restore(&["--as", &to]).ends(1).says("already exists (active)");

            fleet.migration("V2__more.sql", "CREATE TABLE more (id int);");
            fleet.declare(&format!("{from} = {{}}\n{to} = {{ username = \"{prefix} else\" }}\n{prefix}_new = {{}}"));
            let new = format!("{prefix}_new");
            restore(&["--as", &new])
                .ends(1)
                .says("its rows are as of V1, and the migrations create the tables as of V2");
            fleet.apply();
            fleet.declare(&format!(
                "{from} = {{}}\n{to} = {{ username = \"{prefix} else\" }}\n{prefix}_new = {{}}\n{prefix}_own = {{}}"
            ));
            fleet.execute(&format!("SET ROLE \"{from}_owner\"; CREATE TABLE \"tenant_{from}\".mine AS SELECT 1 AS a"));
            let made = fleet.run(&["archive", &from, "--format", "json"]).ends(0).json();
            let own = format!("{prefix}_own");
            let run = fleet.run(&["restore", made["dump"].as_str().unwrap(), "-y", "--as", &own]).ends(1);
            run.says("rows in tables that the migrations do not create (mine)");
            fleet.assert_no_trace_of(&own);
        }
    }
}
