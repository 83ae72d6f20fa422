//! Who owns the objects in a tenant's schema.

use std::collections::BTreeMap;

use crate::core::model::{Access, History, ObjectGroup, Schema, ident, literal};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

/// So many objects are named one by one.
const FEW: usize = 3;

/// Objects belong to the owner role; a tenant that may CREATE may own what it made itself.
pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let Some(mut schema) = draft.current.schema.take() else { return };
    let tenant = draft.tenant;
    let owner = tenant.owner();
    let was_owner = draft.registered.is_some_and(|row| row.access == Access::Owner);
    let may_own =
        |role: &str| role == owner || (role == tenant.username && tenant.access == Access::Full && !was_owner);
    let mut wrong: BTreeMap<String, (i64, Vec<String>)> = BTreeMap::new();
    let mut kept = Vec::new();
    for group in schema.objects.iter_mut().filter(|group| !may_own(&group.owner)) {
        let is_tenants = group.owner == tenant.username || is_former(draft, &group.owner);
        if draft.keeps_extras() && !is_tenants {
            kept.push((group.examples.join(", "), group.owner.clone()));
            continue;
        }
        let found = wrong.entry(group.owner.clone()).or_default();
        found.0 += group.count;
        found.1.extend(group.examples.iter().cloned());
        hand_over(group, owner);
    }
    let taken = take_back(draft, &mut schema, &may_own);
    kept.into_iter().for_each(|(objects, owner)| draft.note(objects, format!("owner {owner}")));
    // The history is left out of the groups; it follows the owner the registry knows.
    if let (History::Read { acl, columns, .. } | History::Unseen { acl, columns }, Some(former)) =
        (&mut schema.history, &draft.current.former_owner)
    {
        let found = wrong.entry(former.clone()).or_default();
        found.0 += 1;
        found.1.push(draft.look.desired.migrations.table.clone());
        *acl = acl.handed_over(former, owner);
        columns.iter_mut().for_each(|column| column.acl = column.acl.handed_over(former, owner));
    }
    for (from, (count, mut names)) in wrong {
        names.sort();
        let disarm = from == tenant.username || !is_former(draft, &from);
        draft.changes.push(
            Change::sql(
                Kind::SetOwner,
                few_of(&names, count),
                vec![transfer(&tenant.schema, &from, owner, disarm, None)],
            )
            .before(format!("owner {from}"))
            .after(format!("owner {owner}")),
        );
    }
    if !taken.is_empty() {
        let from = &tenant.username;
        let sql = transfer(&tenant.schema, from, owner, true, Some(&taken));
        let change = Change::sql(Kind::SetOwner, few_of(&taken, taken.len() as i64), vec![sql]);
        draft.changes.push(change.before(format!("owner {from}")).after(format!("owner {owner}")));
    }
    draft.current.schema = Some(schema);
}

/// What the migrations made and somebody gave to the username, which may own what it made itself. The names, sorted.
fn take_back(draft: &Draft<'_>, schema: &mut Schema, may_own: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (user, owner) = (&draft.tenant.username, draft.tenant.owner());
    // Otherwise all that it owns changes hands.
    if owner == user || !may_own(user) {
        return Vec::new();
    }
    let mut names = Vec::new();
    for mut taken in std::mem::take(&mut schema.taken) {
        let is_its = |group: &&mut ObjectGroup| {
            group.kind == taken.kind && group.owner == *user && group.acl == taken.acl && group.columns == taken.columns
        };
        if let Some(group) = schema.objects.iter_mut().find(is_its) {
            group.count -= 1;
            group.examples.retain(|name| !taken.examples.contains(name));
        }
        names.extend(taken.examples.iter().cloned());
        hand_over(&mut taken, owner);
        schema.objects.push(taken);
    }
    schema.objects.retain(|group| group.count > 0);
    names.sort();
    names
}

/// What follows plans on the schema as it is once its objects have changed hands.
fn hand_over(group: &mut ObjectGroup, owner: &str) {
    group.acl = group.acl.handed_over(&group.owner, owner);
    group.columns.iter_mut().for_each(|column| column.acl = column.acl.handed_over(&group.owner, owner));
    owner.clone_into(&mut group.owner);
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

/// The NOLOGIN role that owned until now: what it owns, migrations made.
fn is_former(draft: &Draft<'_>, role: &str) -> bool {
    draft.registered.is_some_and(|row| row.owner == role && row.access != Access::Owner)
        || draft.current.former_owner.as_deref() == Some(role)
}

/// A DO block with a loop variable `o`, in a dollar quote that nothing in it can end: a name may hold `$tenantry$`.
pub(in crate::core::plan) fn do_block(body: &str) -> String {
    let mut tag = "$tenantry$".to_owned();
    while body.contains(&tag) {
        tag.insert(tag.len() - 1, '_');
    }
    format!("DO {tag} DECLARE o text; BEGIN\n{body}\nEND {tag}")
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
