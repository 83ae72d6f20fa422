//! Who owns the tenant's schema, and what is in it.

use super::view::{Action, Kind};
use crate::core::model::{ident, literal};
use crate::core::plan::statement::{Sql, do_block, statements};

/// So many objects are named one by one.
const FEW: usize = 3;

/// Something gets another owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetOwner {
    pub of: Owned,
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned {
    Schema(String),
    /// All that the former owner has in the schema, or of that the named.
    Objects {
        schema: String,
        /// Sorted; not all of them where they are many.
        names: Vec<String>,
        count: i64,
        only_the_named: bool,
        /// SECURITY DEFINER routines are made INVOKER first.
        disarm: bool,
    },
}

impl Action for SetOwner {
    fn kind(&self) -> Kind {
        Kind::SetOwner
    }

    fn what(&self) -> String {
        match &self.of {
            Owned::Schema(schema) => format!("schema {schema}"),
            Owned::Objects { names, count, .. } => few_of(names, *count),
        }
    }

    fn before(&self) -> Option<String> {
        Some(format!("owner {}", self.from))
    }

    fn after(&self) -> Option<String> {
        Some(format!("owner {}", self.to))
    }

    fn sql(&self) -> Vec<Sql> {
        let Self { of, from, to } = self;
        statements([match of {
            Owned::Schema(schema) => format!("ALTER SCHEMA {} OWNER TO {}", ident(schema), ident(to)),
            Owned::Objects { schema, names, only_the_named, disarm, .. } => {
                transfer(schema, from, to, *disarm, only_the_named.then_some(names.as_slice()))
            }
        }])
    }
}

fn few_of(names: &[String], count: i64) -> String {
    match names {
        few if count == few.len() as i64 && few.len() <= FEW => few.join(", "),
        [first, ..] => format!("{count} objects, {first} among them"),
        [] => format!("{count} objects"),
    }
}

/// One block for all objects of a role in a schema, or for those with these names: REASSIGN OWNED would reach into other schemas.
///
/// ALTER TABLE takes views, sequences and foreign tables too; sequences of columns and types of tables follow them. What
/// belongs to an extension stays its owner's. A SECURITY DEFINER routine of a tenant's is made INVOKER before it changes
/// hands: its code would otherwise run as the new owner from then on.
fn transfer(schema: &str, from: &str, to: &str, disarm: bool, only: Option<&[String]>) -> String {
    let only = Only(only, schema);
    let schema = literal(&ident(schema));
    let (from, to) = (literal(&ident(from)), literal(&ident(to)));
    let disarm = if disarm { disarm_routines(&schema, &from, &only) } else { String::new() };
    let others = others(&schema, &from, &only);
    let (relations, routines, types) =
        (only.these("pg_class", "c.oid"), only.these("pg_proc", "p.oid"), only.these("pg_type", "t.oid"));
    do_block(&format!(
        "{disarm}FOR o IN\n\
         SELECT pg_catalog.format('TABLE %s', c.oid::pg_catalog.regclass) FROM pg_catalog.pg_class c\n\
         WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {from}::pg_catalog.regrole AND c.relkind IN ('r','p','v','m','f','S'){relations}\n\
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND (d.deptype = 'e' OR d.deptype IN ('a','i') AND c.relkind = 'S'))\n\
         UNION ALL SELECT pg_catalog.format('ROUTINE %s', p.oid::pg_catalog.regprocedure) FROM pg_catalog.pg_proc p\n\
         WHERE p.pronamespace = {schema}::pg_catalog.regnamespace AND p.proowner = {from}::pg_catalog.regrole{routines}\n\
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e','i'))\n\
         UNION ALL SELECT pg_catalog.format('TYPE %s', t.oid::pg_catalog.regtype) FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid\n\
         WHERE t.typnamespace = {schema}::pg_catalog.regnamespace AND t.typowner = {from}::pg_catalog.regrole AND t.typtype IN ('e','d','r','c') AND (c.oid IS NULL OR c.relkind = 'c'){types}\n\
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')\n\
         UNION ALL {others}\n\
         LOOP EXECUTE pg_catalog.format('ALTER %s OWNER TO %s', o, {to}); END LOOP;",
    ))
}

/// What has an owner and no privileges. pg_shdepend would not do: it leaves out what the bootstrap superuser owns.
fn others(schema: &str, from: &str, only: &Only<'_>) -> String {
    const CATALOGS: [(&str, &str); 8] = [
        ("pg_collation", "coll"),
        ("pg_conversion", "con"),
        ("pg_operator", "opr"),
        ("pg_opclass", "opc"),
        ("pg_opfamily", "opf"),
        ("pg_statistic_ext", "stx"),
        ("pg_ts_config", "cfg"),
        ("pg_ts_dict", "dict"),
    ];
    let each = CATALOGS.map(|(catalog, prefix)| {
        format!("SELECT 'pg_catalog.{catalog}'::pg_catalog.regclass AS classid, x.oid, x.{prefix}owner AS owner, x.{prefix}namespace AS nsp FROM pg_catalog.{catalog} x")
    });
    format!(
        "SELECT pg_catalog.format('%s %s', CASE i.type WHEN 'statistics object' THEN 'STATISTICS' ELSE pg_catalog.upper(i.type) END, i.identity)\n\
         FROM ({}) x CROSS JOIN LATERAL pg_catalog.pg_identify_object(x.classid, x.oid, 0) i\n\
         WHERE x.nsp = {schema}::pg_catalog.regnamespace AND x.owner = {from}::pg_catalog.regrole{}\n\
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = x.classid AND d.objid = x.oid AND d.deptype = 'e')",
        each.join("\nUNION ALL "),
        only.named("i.identity")
    )
}

/// The names of those to transfer, or all; and the schema, which an identity names and they do not.
struct Only<'a>(Option<&'a [String]>, &'a str);

impl Only<'_> {
    fn these(&self, catalog: &str, oid: &str) -> String {
        self.named(&format!(
            "(pg_catalog.pg_identify_object('pg_catalog.{catalog}'::pg_catalog.regclass, {oid}, 0)).identity"
        ))
    }

    fn named(&self, identity: &str) -> String {
        let Some(names) = self.0 else { return String::new() };
        let names = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
        let schema = literal(self.1);
        format!(" AND pg_catalog.replace({identity}, pg_catalog.quote_ident({schema}) || '.', '') IN ({names})")
    }
}

fn disarm_routines(schema: &str, from: &str, only: &Only<'_>) -> String {
    format!(
        "FOR o IN SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p\n\
         WHERE p.pronamespace = {schema}::pg_catalog.regnamespace AND p.proowner = {from}::pg_catalog.regrole AND p.prosecdef{}\n\
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e')\n\
         LOOP EXECUTE pg_catalog.format('ALTER ROUTINE %s SECURITY INVOKER', o); END LOOP;\n",
        only.these("pg_proc", "p.oid")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_holds_the_dollar_quote_does_not_end_the_block() {
        let sql = transfer("a$tenantry$; DROP", r"b$tenantry_$\", "c", true, None);
        assert_eq!(sql.matches("$tenantry__$").count(), 2, "{sql}");
        assert!(sql.contains(r#"E'"b$tenantry_$\\"'::pg_catalog.regrole"#), "a name is one literal: {sql}");
    }
}
