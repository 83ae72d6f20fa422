//! Migrations outside a transaction: SET ROLE is all that confines them, so nobody's code may run.

use crate::attack::{Attack, everywhere};
use crate::fleet::BOTH;

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

/// `tags && '{a}'` where the tenant made the better operator: its domain's CHECK would run as the statement is parsed.
#[test]
fn a_literal_that_a_tenants_type_could_read_is_refused_offline() {
    for version in BOTH {
        let attack = Attack::new(version, "parses", "owner");
        attack.plant(
            "CREATE TABLE posts (id int, tags text[]);
             CREATE FUNCTION checks(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''parse''); RETURN true; END';
             CREATE DOMAIN word AS text CHECK (checks(VALUE));
             CREATE FUNCTION overlaps(text[], word[]) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true';
             CREATE OPERATOR && (LEFTARG = text[], RIGHTARG = word[], FUNCTION = overlaps);",
        );
        attack
            .next_migration(&late("CREATE INDEX CONCURRENTLY i ON posts (id) WHERE tags && '{a}';"))
            .ends(1)
            .says("V2__next.sql:2 '{a}' may be read by a type of a tenant's");
        attack.fleet.run(&["validate"]).ends(1).says("::text[]");
        attack.next_migration(&late("CREATE INDEX CONCURRENTLY i ON posts (id) WHERE tags && '{a}'::text[];")).ends(0);
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
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
