//! Functions of a tenant's that call others of its own by their bare names, wherever a restore runs them: what migrations are
//! advised to look like comes back.

use super::project::{REMOVE, manifests, project, there_and_back, under_weak_admin};
use crate::fleet::{BOTH, Fleet, ask};

/// Each of them runs, or has PostgreSQL read, a body in which names of the tenant's and of a shared schema stand bare.
const EVERY_KIND: &str = "
CREATE TYPE state AS ENUM ('open', 'done');
CREATE TABLE words (word text PRIMARY KEY);
INSERT INTO words VALUES ('hello'), ('it''s'), (E'tab\\tand\\nline \\\\ backslash');
CREATE FUNCTION low(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)';
CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN low(t); END $$;
CREATE FUNCTION slug_sql(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT low(t)';
CREATE FUNCTION slug_shared(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN common_low(t); END $$;
CREATE FUNCTION atomic(t text) RETURNS text LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT slug_sql(t); END;
CREATE FUNCTION is_known(t text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM words WHERE word = low(t)); END $$;
CREATE FUNCTION is_state(t text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN t::state IS NOT NULL; END $$;
CREATE TABLE generated (title text, slug text GENERATED ALWAYS AS (slug(title)) STORED,
  s text GENERATED ALWAYS AS (slug_sql(title)) STORED, c text GENERATED ALWAYS AS (slug_shared(title)) STORED);
INSERT INTO generated VALUES ('Hello'), (NULL);
CREATE TABLE checked (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text CHECK (slug(a) <> ''), s text CHECK (is_state(s)), w text);
ALTER TABLE checked ADD CHECK (is_known(w)) NOT VALID;
INSERT INTO checked (a, s, w) VALUES ('A', 'open', 'hello'), ('B', 'done', 'hello');
CREATE FUNCTION of_row(r checked) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN slug((r).a) || (r).s::state; END $$;
ALTER TABLE checked ADD CHECK (of_row(checked) <> '');
CREATE DOMAIN slugged AS text CHECK (VALUE = slug(VALUE));
CREATE TABLE of_domain (a slugged, many slugged[]);
INSERT INTO of_domain VALUES ('a', '{b,c}');
CREATE TABLE indexed (a text, b text);
INSERT INTO indexed VALUES ('Hello', 'World'), ('It', 'Is');
CREATE VIEW viewed AS SELECT slug(a) AS a, atomic(b) FROM indexed;
CREATE TABLE parted (a text, n int) PARTITION BY LIST (slug(a));
CREATE TABLE parted_hello PARTITION OF parted FOR VALUES IN ('hello');
CREATE TABLE parted_other PARTITION OF parted DEFAULT;
CREATE TABLE parted_sql (a text) PARTITION BY RANGE (slug_sql(a));
CREATE TABLE parted_sql_all PARTITION OF parted_sql FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
INSERT INTO parted VALUES ('HELLO', 1), ('World', 2);
INSERT INTO parted_sql VALUES ('X');
CREATE SEQUENCE numbers;
CREATE FUNCTION next_number() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN slug('N') || nextval('numbers'); END $$;
CREATE TABLE defaulted (a text DEFAULT next_number(), w text REFERENCES words);
INSERT INTO defaulted (w) VALUES ('hello');
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := slug(NEW.a); RETURN NEW; END $$;
CREATE TRIGGER noted BEFORE INSERT ON indexed FOR EACH ROW WHEN (is_known(NEW.b)) EXECUTE FUNCTION noted();
CREATE TABLE guarded (a text);
INSERT INTO guarded VALUES ('a');
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY guards ON guarded USING (is_known(a) OR slug(a) = 'a');
CREATE RULE ruled AS ON INSERT TO guarded WHERE slug(NEW.a) = 'x' DO INSTEAD NOTHING;
CREATE FUNCTION joined(state text, t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN state || slug(t); END $$;
CREATE AGGREGATE slugs(text) (SFUNC = joined, STYPE = text, INITCOND = '');
CREATE FUNCTION same(a text, b text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN slug(a) = slug(b); END $$;
CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text);
CREATE TABLE operated (a text CHECK (a === 'A'));
INSERT INTO operated VALUES ('a');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE empty_parent (a text CHECK (slug(a) <> ''));
CREATE TABLE child (b text) INHERITS (empty_parent);
INSERT INTO child VALUES ('x', 'y');
";

/// From 17 on, what builds an index or fills a materialized view looks names up in pg_catalog alone, and PostgreSQL refuses these from the
/// beginning (release notes 17, "Migration to Version 17").
const UP_TO_16: &str = "
CREATE UNIQUE INDEX ON indexed (slug(a));
CREATE INDEX ON indexed (slug_sql(b)) WHERE slug(a) > 'a';
CREATE STATISTICS of_indexed ON slug(a), slug_sql(b) FROM indexed;
CREATE TABLE excluded (a text, EXCLUDE USING btree (slug(a) WITH =));
INSERT INTO excluded VALUES ('A'), ('B');
CREATE MATERIALIZED VIEW materialized AS SELECT slug(a) AS a, is_known(b) AS known FROM indexed;
CREATE INDEX ON materialized (slug(a));
CREATE MATERIALIZED VIEW of_view AS SELECT * FROM viewed;
CREATE MATERIALIZED VIEW aggregated AS SELECT slugs(a ORDER BY a) AS slugs FROM indexed;
";

/// What is in it, by table.
#[track_caller]
fn rows(fleet: &Fleet, schema: &str) -> String {
    let tables = format!(
        "SELECT string_agg(format('SELECT %L, (SELECT string_agg(t::text, ''|'' ORDER BY t::text) FROM {schema}.%I t)', relname, relname), \
         ' UNION ALL ' ORDER BY relname) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind IN ('r', 'm', 'v', 'p') \
         AND relname !~ 'refinery'"
    );
    let mut client = fleet.database.client();
    let sql = ask(&mut client, &tables);
    client.batch_execute(&format!("SET search_path = {schema}, common")).unwrap();
    ask(&mut client, &sql)
}

#[test]
fn every_kind_of_object_that_runs_such_a_body_comes_back() {
    for version in BOTH {
        for weak in [false, true] {
            let mut fleet = project(version, "bare");
            fleet.head.insert_str(0, "[database]\nshared_schemas = [\"common\"]\n");
            fleet.execute(
                "CREATE SCHEMA common; CREATE FUNCTION common.common_low(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(t)'",
            );
            if weak {
                fleet = under_weak_admin(fleet, "ba_admin");
                fleet.head = fleet.head.replacen("\n[database]\n", "\n", 1);
                fleet.execute("ALTER SCHEMA common OWNER TO ba_admin");
            }
            fleet.migration("V3__every_kind.sql", EVERY_KIND);
            if version.major() < 17 {
                fleet.migration("V4__up_to_16.sql", UP_TO_16);
            }
            // Roles are the cluster's.
            let tenant = if weak { "bw-one" } else { "bs-one" };
            let (declared, schema) = (format!("{tenant} = {{}}"), format!("tenant_{}", tenant.replace('-', "_")));
            fleet.declare(&declared);
            fleet.applies_and_settles();
            let before = rows(&fleet, &schema);
            let manifest = there_and_back(&fleet, &declared, "");
            assert_eq!(manifest["proved"], "rows", "{manifest}");
            assert!(manifest["proved_no_more_because"].is_null());
            assert_eq!(rows(&fleet, &schema), before);
            assert_eq!(
                ask(&mut fleet.log_in(tenant), "SELECT slug, c FROM generated WHERE title = 'Hello'"),
                "hello, hello"
            );
            fleet.run(&["drift", "--deep"]).ends(0);
            fleet.run(&["archive", tenant]).ends(0).says("restored with all rows");
        }
    }
}

/// What an older release wrote comes back too: nothing but the restore has changed.
#[test]
fn an_archive_that_does_not_say_what_was_proved_is_restored() {
    let fleet = project(BOTH[0], "older");
    fleet.migration(
        "V3__slug.sql",
        "CREATE FUNCTION low(t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(t) $$;
         CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN low(t); END $$;
         CREATE TABLE pages (title text, slug text GENERATED ALWAYS AS (slug(title)) STORED);
         INSERT INTO pages VALUES ('Hello');",
    );
    fleet.declare("ol-one = {}");
    fleet.applies_and_settles();
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    let (path, mut manifest) = manifests(&fleet).pop().unwrap();
    manifest.as_object_mut().unwrap().remove("proved");
    std::fs::write(&path, manifest.to_string()).unwrap();
    fleet.declare("ol-one = {}");
    fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
    fleet.settled();
    assert_eq!(fleet.ask("SELECT title, slug FROM tenant_ol_one.pages"), "Hello, hello");
}
