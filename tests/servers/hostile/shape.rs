//! A look at the shape reads every definition a tenant wrote, with the tenant's schema in the search_path.

use super::attack::everywhere;

/// Overloads of what the query and PostgreSQL's own functions call, by the same names and types.
const SHADOWS: &str = "
    CREATE FUNCTION quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT ride('quote_ident')::text $$;
    CREATE FUNCTION quote_literal(anyelement) RETURNS text LANGUAGE sql AS $$ SELECT ride('quote_literal')::text $$;
    CREATE FUNCTION set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT ride('set_config')::text $$;
    CREATE FUNCTION format_type(oid, integer) RETURNS text LANGUAGE sql AS $$ SELECT ride('format_type')::text $$;
    CREATE FUNCTION pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE sql AS $$ SELECT ride('pg_get_expr')::text $$;
    CREATE FUNCTION pg_get_viewdef(oid, boolean) RETURNS text LANGUAGE sql AS $$ SELECT ride('viewdef')::text $$;
    CREATE FUNCTION pg_get_indexdef(oid, integer, boolean) RETURNS text LANGUAGE sql AS $$ SELECT ride('indexdef')::text $$;
    CREATE FUNCTION concat_ws(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT ride('concat_ws')::text $$;
    CREATE FUNCTION same(oid, oid) RETURNS boolean LANGUAGE sql AS $$ SELECT ride('=')::boolean $$;
    CREATE FUNCTION same(name, name) RETURNS boolean LANGUAGE sql AS $$ SELECT ride('=')::boolean $$;
    CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT ride('=')::boolean $$;
    CREATE FUNCTION joined(text, text) RETURNS text LANGUAGE sql AS $$ SELECT ride('||')::text $$;
    CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = same);
    CREATE OPERATOR = (LEFTARG = name, RIGHTARG = name, FUNCTION = same);
    CREATE OPERATOR = (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
    CREATE OPERATOR || (LEFTARG = text, RIGHTARG = text, FUNCTION = joined);
    CREATE TABLE pg_class (oid oid); CREATE TABLE pg_rewrite (ev_class oid, rulename name); CREATE VIEW pg_roles AS SELECT ride('pg_roles')";

/// Every place of a definition that can hold an expression.
const DEFINITIONS: &str = "
    CREATE FUNCTION fixed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN ride('definition'); END $$;
    CREATE DOMAIN checked AS int DEFAULT fixed(1) CHECK (fixed(VALUE) > 0);
    CREATE TABLE planted (a int DEFAULT fixed(1), b checked DEFAULT 1, c int GENERATED ALWAYS AS (fixed(a)) STORED, CHECK (fixed(a) > 0));
    CREATE INDEX ON planted (fixed(1), (fixed(a))) WHERE fixed(1) > 0;
    CREATE STATISTICS counted ON (fixed(a)), (fixed(1)) FROM planted;
    CREATE VIEW seen AS SELECT fixed(1), ride('view') FROM planted WHERE fixed(2) > 0;
    CREATE RULE ruled AS ON UPDATE TO planted DO ALSO SELECT ride('rule');
    CREATE POLICY watched ON planted USING (fixed(1) > 0); ALTER TABLE planted ENABLE ROW LEVEL SECURITY;
    CREATE TABLE parted (a int) PARTITION BY RANGE (fixed(a));
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (2);
    CREATE FUNCTION with_default(a int DEFAULT fixed(1)) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION traced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
    CREATE TRIGGER traced BEFORE INSERT ON planted FOR EACH ROW WHEN (fixed(1) > 0) EXECUTE FUNCTION traced()";

#[test]
fn reading_a_shape_evaluates_no_definition() {
    everywhere("shaped", |attack| {
        attack.plant(SHADOWS);
        // Building an index looks in no schema of a tenant's from 17 on.
        attack.plant(&DEFINITIONS.replace("RETURN ride(", &format!("RETURN {}.ride(", attack.schema())));
        attack.plant_as_owner(
            "ALTER TABLE users ADD COLUMN planted int DEFAULT 1; CREATE INDEX ON users (pg_catalog.length(email))",
        );
        attack.fleet.execute(&format!("DELETE FROM {}.canary", attack.schema()));
        attack.fleet.run(&["drift", "--deep"]).ends(2).says("users has an extra column planted");
        attack.fleet.run(&["show", &attack.tenant, "--shape"]).ends(0).says("column planted");
        assert_eq!(attack.ran(), "", "{}", attack.tenant);
        attack.gained_nothing();
    });
}
