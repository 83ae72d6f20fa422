//! Privileges on the objects in a tenant's schema, kind by kind.

use std::collections::BTreeSet;

use super::acl::{Expected, differences, quoted};
use super::grants::{expected, on_column};
use super::objects::do_block;
use crate::core::model::{Access, Grantee, ObjectGroup, ObjectKind, Schema, ident, literal};
use crate::core::plan::privileges::{in_words, object_privileges, owners_privileges, spell};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>, schema: &Schema) {
    for kind in ObjectKind::ALL {
        one_kind(draft, schema, kind);
    }
}

/// What is wrong with the objects of a kind.
#[derive(Default)]
struct Wrong {
    count: i64,
    /// The objects, all of them where they are few.
    names: Vec<String>,
    /// What the tenant holds, in words.
    tenants: BTreeSet<String>,
    /// Who else holds what, in words.
    others: BTreeSet<String>,
    /// Everything is revoked from these.
    from: BTreeSet<Grantee>,
    /// Whose grant options go, and with them what they granted.
    options_of: BTreeSet<String>,
    /// What the owner holds of its own, where that is not all, in words.
    owners: BTreeSet<String>,
    /// Another role than the owner granted something on a column.
    on_columns: bool,
    noted: BTreeSet<String>,
}

fn one_kind(draft: &mut Draft<'_>, schema: &Schema, kind: ObjectKind) {
    let tenant = draft.tenant;
    let want = object_privileges(tenant.access, kind, draft.look.observed.server.major());
    let mut expected = expected(draft, want, "");
    expected.owners = owners_privileges(kind, draft.look.observed.server.major()).to_owned();
    let builtin_public = match kind {
        ObjectKind::Function => "X",
        ObjectKind::Type => "U",
        ObjectKind::Table | ObjectKind::Sequence | ObjectKind::Other => "",
    };
    expected.at_most.insert(Grantee::Public, builtin_public.to_owned());
    let mut wrong = Wrong::default();
    // What the tenant made itself is its own to grant.
    for group in schema.objects.iter().filter(|group| group.kind == kind && group.owner == tenant.owner()) {
        judge(draft, group, &expected, want, &mut wrong);
    }
    let things = format!("{} in {}", kind.plural().to_lowercase(), tenant.schema);
    for noted in std::mem::take(&mut wrong.noted) {
        draft.note(things.clone(), noted);
    }
    if wrong.count == 0 {
        return;
    }
    let others = wrong.others.iter().cloned().collect::<Vec<_>>().join("; ");
    let owner = &expected.owner;
    let mut before: Vec<String> = wrong.owners.iter().map(|held| format!("{owner}: {held}")).collect();
    let mut after = Vec::new();
    if !wrong.owners.is_empty() {
        after.push(format!("{owner}: {}", in_words(&expected.owners)));
    }
    let sql = vec![grant_all(draft, kind, want, &wrong)];
    wrong.names.sort();
    let what = match wrong.names.as_slice() {
        [one] if wrong.count == 1 => format!("{} {one} in {}", kind.singular(), tenant.schema),
        few if wrong.count == few.len() as i64 => {
            format!("{} {} in {}", kind.plural().to_lowercase(), few.join(", "), tenant.schema)
        }
        _ => format!("{} {things}", wrong.count),
    };
    let change = Change::sql(Kind::GrantObjects, what, sql);
    // With access "owner" the username holds everything as the owner; only the others' grants are at stake.
    if tenant.access == Access::Owner {
        if !others.is_empty() {
            before.push(format!("also {others}"));
            after.push("the owner only".to_owned());
        }
    } else {
        let tenants = wrong.tenants.iter().cloned().collect::<Vec<_>>().join(" / ");
        before.insert(0, format!("{}: {tenants}", tenant.username));
        after.insert(0, format!("{}: {}", tenant.username, in_words(want)));
        if !others.is_empty() {
            before.push(format!("also {others}"));
        }
    }
    draft.changes.push(change.before(before.join("; ")).after(after.join("; ")));
}

fn judge(draft: &Draft<'_>, group: &ObjectGroup, expected: &Expected, want: &str, wrong: &mut Wrong) {
    let user = Grantee::Role(draft.tenant.username.clone());
    let owner = Grantee::Role(expected.owner.clone());
    let examples = group.examples.join(", ");
    let mut found: Vec<_> =
        differences(&group.acl, expected).into_iter().map(|difference| (difference, String::new())).collect();
    for column in &group.columns {
        let place = format!(" on column {} of {examples}", column.name);
        found.extend(on_column(column, expected, want).into_iter().map(|difference| (difference, place.clone())));
    }
    let mut differs = false;
    let mut tenants = None;
    for (difference, place) in found {
        let words = format!("{}{place}", difference.before());
        if difference.takes() && draft.keeps(&difference.grantee) {
            let on = if place.is_empty() { format!(" on {examples}") } else { String::new() };
            wrong.noted.insert(format!("{words}{on}"));
            if !difference.gives() {
                continue;
            }
        } else if difference.takes() {
            wrong.from.insert(difference.grantee.clone());
            wrong.options_of.extend(difference.grantors().iter().cloned());
            wrong.on_columns |= !place.is_empty() && !difference.grantors().is_empty();
        }
        differs = true;
        if difference.grantee == owner {
            wrong.owners.insert(difference.held);
        } else if difference.grantee == user && place.is_empty() {
            tenants = Some(difference.held);
        } else {
            wrong.others.insert(words);
        }
    }
    if differs {
        wrong.count += group.count;
        wrong.names.extend(group.examples.iter().cloned());
        wrong.tenants.insert(tenants.unwrap_or_else(|| in_words(&group.acl.letters(&user))));
    }
}

/// One block for every object of a kind the owner has in the schema, the history left out.
///
/// GRANT ON ALL TABLES would also touch what the tenant made itself, and fail where we may not. REVOKE on a table revokes
/// on its columns too (manual, "REVOKE"), but not what another role granted there.
fn grant_all(draft: &Draft<'_>, kind: ObjectKind, want: &str, wrong: &Wrong) -> String {
    let tenant = draft.tenant;
    let (word, query) = query(draft, kind);
    let user = ident(&tenant.username);
    let by_grant = tenant.access != Access::Owner;
    let mut from: Vec<String> = wrong.from.iter().map(quoted).collect();
    if by_grant && !draft.keeps(&Grantee::Role(tenant.username.clone())) && !from.contains(&user) {
        from.push(user.clone());
    }
    let execute =
        |statement: String, roles: &str| format!("EXECUTE pg_catalog.format('{statement}', o, {});", literal(roles));
    let mut body = Vec::new();
    if !wrong.options_of.is_empty() {
        let of = wrong.options_of.iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
        body.push(execute(format!("REVOKE GRANT OPTION FOR ALL ON {word} %s FROM %s CASCADE"), &of));
    }
    if !from.is_empty() {
        body.push(execute(format!("REVOKE ALL ON {word} %s FROM %s CASCADE"), &from.join(", ")));
    }
    if !wrong.owners.is_empty() {
        body.push(execute(format!("GRANT ALL ON {word} %s TO %s"), &ident(tenant.owner())));
    }
    if by_grant {
        body.push(execute(format!("GRANT {} ON {word} %s TO %s", spell(want)), &user));
    }
    let columns = if wrong.on_columns { columns_of_others(draft) } else { String::new() };
    do_block(&format!("{columns}FOR o IN {query}\nLOOP {} END LOOP;", body.join("\n")))
}

/// What another role granted on a column outlives that role's grant option, when it had that on the table; so the option
/// is given on the column, for CASCADE to find (seen on 15 and 18).
fn columns_of_others(draft: &Draft<'_>) -> String {
    let schema = literal(&ident(&draft.tenant.schema));
    let owner = literal(&ident(draft.tenant.owner()));
    format!(
        "FOR o IN SELECT DISTINCT pg_catalog.format('GRANT ALL (%1$I) ON TABLE %2$s TO %3$s WITH GRANT OPTION; REVOKE ALL (%1$I) ON TABLE %2$s FROM %3$s CASCADE', a.attname, c.oid::pg_catalog.regclass, x.grantor::pg_catalog.regrole)\n\
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x\n\
         WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {owner}::pg_catalog.regrole AND NOT a.attisdropped AND x.grantor <> c.relowner\n\
         LOOP EXECUTE o; END LOOP;\n"
    )
}

/// What GRANT calls the kind, and the query of its objects' names.
fn query(draft: &Draft<'_>, kind: ObjectKind) -> (&'static str, String) {
    let schema = literal(&ident(&draft.tenant.schema));
    let owner = literal(&ident(draft.tenant.owner()));
    match kind {
        ObjectKind::Table => {
            ("TABLE", relations(&schema, &owner, "'r','p','v','m','f'", &literal(&draft.look.desired.migrations.table)))
        }
        ObjectKind::Sequence => ("SEQUENCE", relations(&schema, &owner, "'S'", "''")),
        ObjectKind::Function => (
            "ROUTINE",
            format!(
                "SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p WHERE p.pronamespace = {schema}::pg_catalog.regnamespace AND p.proowner = {owner}::pg_catalog.regrole AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e','i'))"
            ),
        ),
        ObjectKind::Type => (
            "TYPE",
            format!(
                "SELECT t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typnamespace = {schema}::pg_catalog.regnamespace AND t.typowner = {owner}::pg_catalog.regrole AND t.typtype IN ('e','d','r','c') AND (c.oid IS NULL OR c.relkind = 'c') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')"
            ),
        ),
        ObjectKind::Other => ("", String::new()),
    }
}

fn relations(schema: &str, owner: &str, kinds: &str, but: &str) -> String {
    format!(
        "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {owner}::pg_catalog.regrole AND c.relkind IN ({kinds}) AND c.relname <> {but} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')"
    )
}
