//! Migrations outside a transaction: no function can hold them, so they log in with the tenant's rights and no others.

use super::attack::{Attack, everywhere};
use crate::fleet::{Admin, BOTH, Fleet};
use crate::postgres_server::database_of;

fn late(sql: &str) -> String {
    format!("-- tenantry: no-transaction\n{sql}")
}

#[test]
fn building_an_index_beside_planted_expressions_rides_nothing() {
    everywhere("builds", |attack| {
        // Qualified: maintenance has pg_catalog for its search_path (17 and later).
        attack.plant_as_owner(&format!(
            "CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM {schema}.ride(''fold''); RETURN 1; END';
             CREATE FUNCTION pure(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM {schema}.ride(''row''); RETURN ''''; END';
             CREATE FUNCTION lower(varchar) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM {schema}.ride(''lower''); RETURN ''''; END';
             INSERT INTO users VALUES ('a');
             CREATE INDEX i ON users ((pure(1)), (pure(email))) WHERE pure(2) = 1; CREATE STATISTICS s ON (pure(3)), email FROM users;
             DELETE FROM canary;",
            schema = attack.schema()
        ));
        attack
            .next_migration(&late("CREATE INDEX CONCURRENTLY j ON users (email) WHERE lower('A'::varchar) = '';"))
            .ends(0);
        attack.fleet.migration("V3__re.sql", &late(
            "REINDEX TABLE CONCURRENTLY users;\nDROP INDEX CONCURRENTLY j;\n\
             VACUUM (FULL, ANALYZE) users;\nCREATE INDEX CONCURRENTLY k ON users (email);\nCLUSTER users USING k;\nANALYZE users;",
        ));
        attack.fleet.apply();
        attack.gained_nothing();
        attack.fleet.settled();
    });
}

/// What an administrator keeps of DDL. All names in it are qualified, but the operators are not, and its search_path is
/// the session's: the tenant's operator for text || name is the better match.
const LOG_DDL: &str = "CREATE SCHEMA dba; CREATE TABLE dba.ddl_log (at timestamptz DEFAULT now(), what text);
    GRANT USAGE ON SCHEMA dba TO PUBLIC; GRANT INSERT ON dba.ddl_log TO PUBLIC;
    CREATE FUNCTION dba.log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO dba.ddl_log (what) VALUES (tg_tag || ' by ' || session_user); END $$;
    CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION dba.log_ddl();";

const BETTER_OPERATOR: &str =
    "CREATE FUNCTION cat(text, name) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''event''); RETURN $1; END';
     CREATE OPERATOR || (LEFTARG = text, RIGHTARG = name, FUNCTION = cat);";

#[test]
fn an_event_trigger_that_meets_a_tenants_operator_makes_nobody_superuser() {
    everywhere("event", |attack| {
        attack.fleet.execute(LOG_DDL);
        attack.plant(BETTER_OPERATOR);
        attack.fleet.execute(&format!("DELETE FROM {}.canary", attack.schema()));
        attack.next_migration(&late("CREATE INDEX CONCURRENTLY j ON users (email);")).ends(0);
        attack.fleet.migration("V3__re.sql", &late("REINDEX INDEX CONCURRENTLY j;"));
        attack.fleet.migration("V4__drop.sql", &late("DROP INDEX CONCURRENTLY j;"));
        attack.fleet.apply();
        assert!(attack.ran().contains("event, "), "it never ran, and so proves nothing");
        attack.gained_nothing();
        attack.fleet.execute("DROP EVENT TRIGGER log_ddl");
        attack.fleet.settled();
    });
}

/// One who administers roles has the other tenants' to lose.
#[test]
fn under_createrole_it_gets_no_other_tenants_role() {
    for version in BOTH {
        let fleet = Fleet::usual_on(Admin::Createrole, database_of(version, "event_createrole"));
        let database = &fleet.database.name;
        fleet.execute(LOG_DDL);
        let (mine, other) = (format!("{database}-m").replace('_', "-"), format!("{database}-o").replace('_', "-"));
        fleet.declare(&format!("{mine} = {{}}\n{other} = {{}}"));
        fleet.apply();
        let role = |tenant: &str| format!("{}_user", tenant.replace('-', "_"));
        fleet
            .log_in(&mine)
            .batch_execute(&format!(
                "CREATE FUNCTION cat(text, name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
                   BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'GRANT {} TO {}'; EXCEPTION WHEN OTHERS THEN NULL; END; RETURN $1; END $$;
                 CREATE OPERATOR || (LEFTARG = text, RIGHTARG = name, FUNCTION = cat);",
                role(&other),
                role(&mine)
            ))
            .unwrap();
        fleet.migration("V3__index.sql", &late("CREATE INDEX CONCURRENTLY by_email ON users (email);"));
        fleet.apply();
        assert_eq!(fleet.held(&role(&mine)).matches(&role(&other)).count(), 0, "{version:?}");
        // Another test of the cluster may have one just now.
        let deputies = format!(
            "SELECT count(*) FROM pg_auth_members WHERE member::regrole::text LIKE 'tenantry_deputy%' \
             AND roleid::regrole::text LIKE '{database}%'"
        );
        assert_eq!(fleet.ask(&deputies), "0");
        fleet.execute("DROP EVENT TRIGGER log_ddl");
        fleet.settled();
    }
}

/// `tags && '{a}'` where the tenant made the better operator: its domain's CHECK runs as the statement is parsed.
#[test]
fn a_literal_that_a_tenants_type_reads_runs_nothing_as_the_administrator() {
    everywhere("parses", |attack| {
        attack.plant_as_owner(
            "CREATE TABLE posts (id int, tags text[]);
             CREATE FUNCTION checks(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''parse''); RETURN true; END';
             CREATE DOMAIN word AS text CHECK (checks(VALUE));
             CREATE FUNCTION overlaps(text[], word[]) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
             CREATE OPERATOR && (LEFTARG = text[], RIGHTARG = word[], FUNCTION = overlaps);
             DELETE FROM canary",
        );
        attack.next_migration(&late("CREATE INDEX CONCURRENTLY i ON posts (id) WHERE tags && '{a}';")).ends(0);
        assert!(attack.ran().contains("parse, "), "it never ran, and so proves nothing");
        attack.gained_nothing();
        attack.fleet.settled();
    });
}

/// Its temporary table stands where an administrator's event trigger looks, if the session still has it: pg_temp is
/// searched for tables even where it is last.
#[test]
fn no_temporary_table_of_a_tenants_meets_an_event_trigger_in_our_session() {
    for version in BOTH {
        let attack = Attack::with_head(version, "temp_event", "owner", "[database]\npublic_schema = \"keep\"\n");
        attack.fleet.execute(
            "CREATE FUNCTION public.log_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
               BEGIN INSERT INTO ddl_log VALUES (tg_tag); EXCEPTION WHEN undefined_table THEN NULL; END; END $$;
             CREATE EVENT TRIGGER log_drop ON sql_drop EXECUTE FUNCTION public.log_drop();",
        );
        let schema = attack.schema();
        attack.plant(&format!(
            "CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM {schema}.ride(''temp''); RETURN NULL; END'"
        ));
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            &format!(
                "CREATE TEMPORARY TABLE ddl_log (what text);
                 CREATE TRIGGER logged AFTER INSERT ON ddl_log FOR EACH ROW EXECUTE FUNCTION {schema}.logged()"
            ),
        );
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        attack.gained_nothing();
        attack.fleet.execute("DROP EVENT TRIGGER log_drop");
        attack.fleet.settled();
    }
}

/// The session of the transaction before is the same one.
#[test]
fn nothing_left_by_the_transaction_before_meets_it() {
    for version in BOTH {
        let attack = Attack::with_head(version, "before", "owner", "[database]\npublic_schema = \"keep\"\n");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "CREATE TEMPORARY TABLE users (email text); LISTEN x; PREPARE s1 AS SELECT ride('prepared'); SET search_path = pg_temp",
        );
        attack.fleet.migration("V2__next.sql", "INSERT INTO orders VALUES (1);");
        attack.fleet.migration("V3__index.sql", &late("CREATE INDEX CONCURRENTLY by_email ON users (email);"));
        attack.fleet.apply();
        let schema = attack.schema();
        assert_eq!(
            attack.fleet.ask(&format!(
                "SELECT indrelid::regclass FROM pg_index WHERE indexrelid = '{schema}.by_email'::regclass"
            )),
            format!("{schema}.users")
        );
        attack.gained_nothing();
        attack.fleet.settled();
    }
}
