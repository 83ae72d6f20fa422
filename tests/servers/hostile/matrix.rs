//! Every attack at once, under every command: one schema holds all of them, and each command in turn comes by.

use super::attack::{ACCESS, Attack};
use crate::fleet::{BOTH, Run};
use crate::postgres_server::{Version, pg_dump_dir};

/// What the tenant can make with CREATE in its schema: overloads of what we and the migrations call, and a table that a
/// migration makes if it is not there. Each says where it ran.
const BY_THE_TENANT: &str = r#"
CREATE FUNCTION fixed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN {s}.ride('expression'); END $$;
CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM {s}.ride('overload'); RETURN 'l'; END $$;
CREATE FUNCTION same(varchar, varchar) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN {s}.ride('operator') = 1; END $$;
CREATE FUNCTION same(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN {s}.ride('operator') = 1; END $$;
CREATE FUNCTION same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN {s}.ride('operator') = 1; END $$;
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = name, RIGHTARG = name, FUNCTION = same);
CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = same);
CREATE FUNCTION current_database() RETURNS name LANGUAGE plpgsql AS $$ BEGIN PERFORM {s}.ride('overload'); RETURN 'x'; END $$;
CREATE FUNCTION set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN {s}.ride('overload'); END $$;
CREATE FUNCTION format_type(oid, integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN {s}.ride('overload'); END $$;
CREATE TABLE pg_class (oid oid); CREATE VIEW pg_namespace AS SELECT {s}.ride('view') AS oid;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql SET search_path = {s}, pg_catalog AS $$ BEGIN PERFORM ride('trigger'); RETURN NEW; END $$;
CREATE TABLE orders (n int DEFAULT fixed(1) CHECK (fixed(n) = 1), g int GENERATED ALWAYS AS (fixed(n)) STORED);
CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON orders EXECUTE FUNCTION fires();
CREATE RULE ruled AS ON UPDATE TO orders DO ALSO SELECT {s}.ride('rule');
CREATE INDEX ON orders ((fixed(1)), (fixed(n))) WHERE fixed(2) = 1;
CREATE STATISTICS counted ON (fixed(n)), (fixed(1)) FROM orders;
CREATE DOMAIN checked AS int DEFAULT fixed(1) CHECK (fixed(VALUE) = 1);
CREATE TYPE wrapped AS (t text);
CREATE FUNCTION wrap(int) RETURNS wrapped LANGUAGE plpgsql AS $$ BEGIN PERFORM {s}.ride('cast'); RETURN ROW('w')::{s}.wrapped; END $$;
CREATE CAST (int AS wrapped) WITH FUNCTION wrap(int) AS IMPLICIT;
CREATE TABLE casts (c checked, w wrapped);
CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1);
CREATE TABLE children (id int REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE); INSERT INTO children VALUES (1);
CREATE FUNCTION cascaded() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM {s}.ride('cascade'); RETURN OLD; END $$;
CREATE TRIGGER cascaded BEFORE DELETE ON children FOR EACH ROW EXECUTE FUNCTION cascaded();
CREATE TABLE again (n int);
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN SET CONSTRAINTS ALL DEFERRED; PERFORM {s}.ride('deferred'); INSERT INTO {s}.again VALUES (NEW.n + 1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER again AFTER INSERT ON again DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
CREATE VIEW calls AS SELECT {s}.ride('view') FROM orders;
CREATE TABLE parted (a int) PARTITION BY RANGE (fixed(a)); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (2);
CREATE AGGREGATE summed(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE TABLE "we""ird; ALTER ROLE {u} SUPERUSER; --" (n int); COMMENT ON TABLE orders IS E'\x1b[2J';
SELECT lo_from_bytea(0, 'mine');
"#;

/// What takes the rights of whoever owns the migrated table and the history.
const BY_THE_OWNER: &str = "
CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON users EXECUTE FUNCTION fires();
ALTER TABLE users ADD COLUMN planted int DEFAULT fixed(1) CHECK (fixed(planted) = 1);
ALTER TABLE users ADD COLUMN stored int GENERATED ALWAYS AS (fixed(planted)) STORED;
CREATE INDEX planted ON users ((fixed(1)), (fixed(planted))) WHERE fixed(2) = 1;
CREATE STATISTICS planted ON (fixed(planted)), (fixed(1)) FROM users;
CREATE POLICY planted ON users USING (fixed(1) = 1); ALTER TABLE users ENABLE ROW LEVEL SECURITY;
CREATE TRIGGER fires BEFORE INSERT ON refinery_schema_history EXECUTE FUNCTION fires();
CREATE INDEX ON refinery_schema_history ((fixed(1))) WHERE fixed(2) = 1;
CREATE STATISTICS folded ON (fixed(1)), version FROM refinery_schema_history;
ALTER TABLE refinery_schema_history ADD CHECK (fixed(1) = 1);
CREATE MATERIALIZED VIEW stored AS SELECT fixed(1), {s}.ride('materialized view');
";

/// Comes by all of it.
const MIGRATION: &str = "
CREATE TABLE IF NOT EXISTS orders (n int);
INSERT INTO orders DEFAULT VALUES;
UPDATE orders SET n = 1;
INSERT INTO users (email) VALUES (lower('A'::varchar));
DELETE FROM users WHERE 'a'::varchar = 'b'::varchar;
INSERT INTO casts VALUES (1, 2);
DELETE FROM parents;
REFRESH MATERIALIZED VIEW stored;
INSERT INTO parted VALUES (1);
";

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// All of it planted, in a schema that is archived when it goes.
fn planted(version: Version, name: &str, access: &'static str) -> Attack {
    let mut attack = Attack::new(version, name, access);
    let dir = pg_dump_dir(version);
    attack.fleet.env.insert("TENANTRY_PG_BINDIR".into(), dir);
    declare(&attack, "on_remove = \"archive\"");
    attack.fleet.apply();
    let filled = |sql: &str| sql.replace("{s}", &attack.schema()).replace("{u}", &attack.user());
    attack.plant(&filled(BY_THE_TENANT));
    if access == "full" {
        attack.plant(&format!("GRANT ALL ON ALL TABLES IN SCHEMA {} TO {}", attack.schema(), attack.owner(),));
    }
    attack.plant_as_owner(&filled(BY_THE_OWNER));
    if attack.fleet.ask("SELECT current_setting('server_version_num')::int >= 180000") == "t" {
        attack.plant_as_owner("ALTER TABLE users ADD COLUMN v int GENERATED ALWAYS AS (planted + 1) VIRTUAL");
    }
    forget(&attack);
    attack
}

fn declare(attack: &Attack, more: &str) {
    let access = if more.contains("access") { String::new() } else { format!("access = \"{}\", ", attack.access) };
    attack.fleet.declare(&format!("{} = {{ {access}{more} }}", attack.tenant));
}

/// What rode while it was being planted, as the tenant itself.
fn forget(attack: &Attack) {
    attack.fleet.execute(&format!("DELETE FROM {}.canary", attack.schema()));
}

/// Nothing moved the cursor of whoever reads what the command says.
#[track_caller]
fn runs(attack: &Attack, args: &[&str]) -> Run {
    let run = attack.fleet.run(args);
    assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "{args:?}: {run:?}");
    attack.gained_nothing();
    run
}

#[test]
fn all_attacks_under_all_commands() {
    for version in BOTH {
        for access in ACCESS {
            let attack = planted(version, "matrix", access);
            let (tenant, fleet) = (attack.tenant.as_str(), &attack.fleet);
            // Looking calls nothing.
            for (code, args) in [
                (0, vec!["plan", "--detailed-exitcode"]),
                (0, vec!["plan", "--format", "json"]),
                (0, vec!["plan", "--format", "markdown"]),
                (0, vec!["drift"]),
                (2, vec!["drift", "--deep"]),
                (0, vec!["list"]),
                (0, vec!["show", tenant]),
                (0, vec!["show", tenant, "--shape"]),
                (0, vec!["apply", "-y"]),
                (0, vec!["archive", tenant]),
            ] {
                runs(&attack, &args).ends(code);
                assert_eq!(attack.ran(), "", "{tenant}: {args:?}");
            }
            // As the tenant, and rolled back.
            runs(&attack, &["verify"]).ends(0);
            assert_eq!(attack.ran(), "", "{tenant}: verify");
            // What changes roles, grants and owners.
            declare(&attack, "on_remove = \"archive\", connection_limit = 9, settings = { work_mem = \"5MB\" }");
            runs(&attack, &["apply", "-y"]).ends(0);
            for other in ["readonly", "owner", "full", access] {
                declare(&attack, &format!("access = \"{other}\", on_remove = \"archive\""));
                let run = fleet.run(&["apply", "-y"]).ends(0);
                assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'));
                assert_eq!(attack.ran(), "", "{tenant}: to {other}");
            }
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        }
    }
}

#[test]
fn all_attacks_under_migrations_archives_and_removals() {
    for version in BOTH {
        for access in ACCESS {
            let attack = planted(version, "under", access);
            let fleet = &attack.fleet;
            fleet.migration("V2__comes_by.sql", MIGRATION);
            runs(&attack, &["plan", "--out", "saved.plan"]).ends(0);
            runs(&attack, &["apply", "-y", "saved.plan"]).ends(0);
            let owner = attack.owner();
            let places =
                ["cascade", "cast", "expression", "materialized view", "operator", "overload", "rule", "trigger"];
            // A foreign key's own work is done as the owner of the table that refers.
            let who = |place| if place == "cascade" { attack.user() } else { owner.clone() };
            let as_owner = places.map(|place| format!("{place}, {}", who(place))).join("; ");
            assert_eq!(attack.ran(), as_owner, "{}", attack.tenant);
            // What puts itself off to COMMIT is told, and leaves nothing.
            forget(&attack);
            fleet.migration("V3__again.sql", "INSERT INTO again VALUES (1);");
            runs(&attack, &["apply", "-y"])
                .ends(1)
                .says("defers its work to COMMIT")
                .says("look for triggers that use SET CONSTRAINTS and drop them");
            assert_eq!(attack.ran(), "", "rolled back");
            std::fs::remove_file(fleet.path("migrations/V3__again.sql")).unwrap();
            let (schema, user) = (attack.schema(), attack.user());
            // A cast is in no schema, and so in no archive of one.
            fleet.declare("");
            fleet
                .run(&REMOVE)
                .ends(1)
                .says(&format!("cast from integer to {schema}.wrapped"))
                .says("drop or change what depends on the schema first");
            attack.gained_nothing();
            fleet.execute(&format!("DROP CAST (int AS {schema}.wrapped)"));
            // Dropped with an archive, and back.
            fleet.run(&REMOVE).ends(0);
            let left = format!(
                "SELECT rolname FROM pg_roles WHERE rolname IN ('{user}', '{owner}', 'ridden_{}')",
                attack.tenant
            );
            assert_eq!(fleet.ask(&left), "");
            declare(&attack, "on_remove = \"archive\"");
            let mut archives: Vec<_> =
                std::fs::read_dir(fleet.path("archives")).unwrap().map(|e| e.unwrap().path()).collect();
            archives.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
            let restored = runs(&attack, &["restore", "-y", archives[0].to_str().unwrap()]);
            restored.ends(0);
            let strange = format!(
                "SELECT DISTINCT who FROM {schema}.canary WHERE who NOT IN ('{user}', '{owner}') AND who NOT LIKE 'tenantry\\_deputy%'"
            );
            assert_eq!(fleet.ask(&strange), "");
            fleet.settled();
            // Kept without its secret, and dropped without an archive.
            for policy in ["retain", "drop"] {
                declare(&attack, &format!("on_remove = \"{policy}\""));
                fleet.run(&["apply", "-y"]).ends(0);
                forget(&attack);
                fleet.declare("");
                fleet.run(&REMOVE).ends(0);
                if policy == "retain" {
                    assert_eq!(attack.ran(), "");
                    declare(&attack, "on_remove = \"drop\"");
                    fleet.run(&["apply", "-y"]).ends(0);
                }
            }
            assert_eq!(fleet.ask(&left), "");
            attack.ran_no_program();
        }
    }
}
