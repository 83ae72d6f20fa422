//! Privileges: on the schema, on what is in it, on what will be, and on the history.

use std::collections::BTreeSet;

use super::objects::do_block;
use crate::model::{Access, Acl, Grantee, History, ObjectKind, Schema, ident, literal, qualified};
use crate::plan::privileges::{in_words, object_privileges, schema_privileges, sorted, spell};
use crate::plan::tenant::Draft;
use crate::plan::{Change, Kind};

pub(in crate::plan) fn diff(draft: &mut Draft<'_>) {
    let schema = draft.current.schema.clone().unwrap_or_default();
    on_schema(draft, &schema);
    defaults(draft, &schema);
    former_defaults(draft, &schema);
    objects(draft, &schema);
    if let History::Read { acl, .. } = &schema.history {
        let changes = history(draft, acl);
        draft.changes.extend(changes);
    }
}

/// An admin who is no superuser reads the histories by a grant, not by staying a member of every owner.
fn admin_who_reads<'a>(draft: &Draft<'a>) -> Option<&'a str> {
    let admin = &draft.look.observed.server.admin;
    (!admin.superuser).then_some(admin.name.as_str())
}

/// Those in the ACL that are neither the owner, nor the tenant, nor the admin: revoked.
fn strangers(draft: &Draft<'_>, acl: &Acl, builtin_public: &str) -> Vec<(Grantee, String)> {
    let tenant = draft.tenant;
    let admin = &draft.look.observed.server.admin.name;
    acl.entries()
        .filter(|(grantee, letters)| match grantee {
            Grantee::Public => !letters.is_empty() && letters != builtin_public,
            Grantee::Role(role) => role != tenant.owner() && role != &tenant.username && role != admin,
        })
        .map(|(grantee, letters)| (grantee.clone(), letters))
        .collect()
}

fn quoted(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Public => "PUBLIC".into(),
        Grantee::Role(role) => ident(role),
    }
}

/// `REVOKE` then `GRANT` of what differs, on one thing that GRANT can name.
///
/// CASCADE takes along what the grantee passed on to others; without it REVOKE fails with 2BP01.
fn regrant(on: &str, to: &Grantee, have: &str, want: &str) -> Vec<String> {
    let extra: String = have.chars().filter(|letter| !want.contains(*letter)).collect();
    let lacking: String = want.chars().filter(|letter| !have.contains(*letter)).collect();
    let mut sql = Vec::new();
    if !extra.is_empty() {
        sql.push(format!("REVOKE {} ON {on} FROM {} CASCADE", spell(&extra), quoted(to)));
    }
    if !lacking.is_empty() {
        sql.push(format!("GRANT {} ON {on} TO {}", spell(&lacking), quoted(to)));
    }
    sql
}

fn privilege_change(kind: Kind, what: String, to: &Grantee, have: &str, want: &str, sql: Vec<String>) -> Change {
    Change::sql(kind, what, sql).before(format!("{to}: {}", in_words(have))).after(format!("{to}: {}", in_words(want)))
}

fn on_schema(draft: &mut Draft<'_>, schema: &Schema) {
    let tenant = draft.tenant;
    let name = &tenant.schema;
    let mut want = Vec::new();
    if tenant.access != Access::Owner {
        want.push((tenant.username.clone(), schema_privileges(tenant.access)));
    }
    if let Some(admin) = admin_who_reads(draft) {
        want.push((admin.to_owned(), "U"));
    }
    let mut pairs: Vec<_> = want
        .into_iter()
        .map(|(role, letters)| (schema.acl.of(&role), Grantee::Role(role), letters.to_owned()))
        .collect();
    pairs.extend(strangers(draft, &schema.acl, "").into_iter().map(|(grantee, have)| (have, grantee, String::new())));
    for (have, grantee, want) in pairs {
        let want = sorted(&want);
        if have != want {
            let sql = regrant(&format!("SCHEMA {}", ident(name)), &grantee, &have, &want);
            draft.changes.push(privilege_change(
                Kind::GrantSchema,
                format!("schema {name}"),
                &grantee,
                &have,
                &want,
                sql,
            ));
        }
    }
}

/// Default privileges belong to the role that creates objects: always FOR ROLE.
fn defaults(draft: &mut Draft<'_>, schema: &Schema) {
    let tenant = draft.tenant;
    let (name, owner) = (&tenant.schema, tenant.owner());
    for kind in ObjectKind::ALL {
        let want = object_privileges(tenant.access, kind, draft.look.observed.server.major());
        let acl = schema
            .default_acls
            .iter()
            .find(|default| default.role == owner && default.kind == kind)
            .map(|default| default.acl.clone())
            .unwrap_or_default();
        let user = Grantee::Role(tenant.username.clone());
        let mut pairs = vec![(user, want)];
        // "owner": whatever stands here was granted by hand, the tenant's own entry left alone.
        if tenant.access == Access::Owner {
            pairs.clear();
        }
        pairs.extend(strangers(draft, &acl, "").into_iter().map(|(grantee, _)| (grantee, "")));
        for (grantee, want) in pairs {
            let have = match &grantee {
                Grantee::Public => acl.of_public(),
                Grantee::Role(role) => acl.of(role),
            };
            if have == want {
                continue;
            }
            let prefix = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} ", ident(owner), ident(name));
            let sql =
                regrant(kind.plural(), &grantee, &have, want).iter().map(|sql| format!("{prefix}{sql}")).collect();
            let what = format!("future {} of {owner}", kind.plural().to_lowercase());
            draft.changes.push(privilege_change(Kind::DefaultPrivileges, what, &grantee, &have, want, sql));
        }
    }
}

/// A shared owner that no longer owns for this tenant stays, and so would its default privileges here.
fn former_defaults(draft: &mut Draft<'_>, schema: &Schema) {
    let Some(former) = draft.current.former_owner.clone().filter(|former| *former != draft.tenant.username) else {
        return;
    };
    if draft.drops_former_owner() {
        return;
    }
    for default in schema.default_acls.iter().filter(|default| default.role == former) {
        for (grantee, have) in default.acl.entries() {
            let sql = format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} REVOKE ALL ON {} FROM {} CASCADE",
                ident(&former),
                ident(&draft.tenant.schema),
                default.kind.plural(),
                quoted(grantee)
            );
            let what = format!("future {} of {former}", default.kind.plural().to_lowercase());
            draft.changes.push(privilege_change(Kind::DefaultPrivileges, what, grantee, &have, "", vec![sql]));
        }
    }
}

fn objects(draft: &mut Draft<'_>, schema: &Schema) {
    let tenant = draft.tenant;
    for kind in ObjectKind::ALL {
        let want = object_privileges(tenant.access, kind, draft.look.observed.server.major());
        let builtin_public = match kind {
            ObjectKind::Function => "X",
            ObjectKind::Type => "U",
            ObjectKind::Table | ObjectKind::Sequence => "",
        };
        let mut count = 0;
        let mut have = BTreeSet::new();
        let mut others = BTreeSet::new();
        // What the tenant made itself is its own to grant.
        for group in schema.objects.iter().filter(|group| group.kind == kind && group.owner == tenant.owner()) {
            let user = group.acl.of(&tenant.username);
            let wrong = strangers(draft, &group.acl, builtin_public);
            if (user != want && tenant.access != Access::Owner) || !wrong.is_empty() {
                count += group.count;
                have.insert(in_words(&user));
                others.extend(wrong.into_iter().map(|(grantee, _)| grantee));
            }
        }
        if count == 0 {
            continue;
        }
        let what = format!("{count} {} in {}", kind.plural().to_lowercase(), tenant.schema);
        let strangers: Vec<String> = others.iter().map(ToString::to_string).collect();
        let change = Change::sql(Kind::GrantObjects, what, vec![grant_all(draft, kind, want, &others)]);
        // With access "owner" the username holds everything as the owner; only the others' grants are at stake.
        draft.changes.push(if tenant.access == Access::Owner {
            change.before(format!("also {}", strangers.join(", "))).after("the owner only")
        } else {
            let mut before = format!("{}: {}", tenant.username, have.into_iter().collect::<Vec<_>>().join(" / "));
            if !strangers.is_empty() {
                before.push_str(&format!("; also {}", strangers.join(", ")));
            }
            change.before(before).after(format!("{}: {}", tenant.username, in_words(want)))
        });
    }
}

/// One block for every object of a kind the owner has in the schema, the history left out.
///
/// GRANT ON ALL TABLES would also touch what the tenant made itself, and fail where we may not.
fn grant_all(draft: &Draft<'_>, kind: ObjectKind, want: &str, others: &BTreeSet<Grantee>) -> String {
    let tenant = draft.tenant;
    let schema = literal(&ident(&tenant.schema));
    let owner = literal(&ident(tenant.owner()));
    let (word, query) = match kind {
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
    };
    let user = ident(&tenant.username);
    let mut from: Vec<String> = others.iter().map(quoted).collect();
    let mut grant = String::new();
    if tenant.access != Access::Owner {
        from.push(user.clone());
        grant = format!(
            "\nEXECUTE pg_catalog.format('GRANT %s ON {word} %s TO %s', {}, o, {});",
            literal(&spell(want)),
            literal(&user)
        );
    }
    do_block(&format!(
        "FOR o IN {query}\n\
         LOOP EXECUTE pg_catalog.format('REVOKE ALL ON {word} %s FROM %s CASCADE', o, {});{grant} END LOOP;",
        literal(&from.join(", ")),
    ))
}

fn relations(schema: &str, owner: &str, kinds: &str, but: &str) -> String {
    format!(
        "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {owner}::pg_catalog.regrole AND c.relkind IN ({kinds}) AND c.relname <> {but} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')"
    )
}

/// The history is the tenant's to SELECT only, whatever the access ("owner" apart).
fn history(draft: &Draft<'_>, acl: &Acl) -> Vec<Change> {
    let tenant = draft.tenant;
    let table = &draft.look.desired.migrations.table;
    let on = format!("TABLE {}", qualified(&tenant.schema, table));
    let mut pairs = Vec::new();
    if tenant.access != Access::Owner {
        pairs.push((acl.of(&tenant.username), Grantee::Role(tenant.username.clone()), "r"));
    }
    if let Some(admin) = admin_who_reads(draft) {
        pairs.push((acl.of(admin), Grantee::Role(admin.to_owned()), "r"));
    }
    pairs.extend(strangers(draft, acl, "").into_iter().map(|(grantee, have)| (have, grantee, "")));
    pairs
        .into_iter()
        .filter(|(have, _, want)| have != want)
        .map(|(have, grantee, want)| {
            let sql = regrant(&on, &grantee, &have, want);
            privilege_change(Kind::GrantHistory, format!("history {table}"), &grantee, &have, want, sql)
        })
        .collect()
}

/// What runs right after the history table is made: default privileges gave the tenant more than it may have.
pub(in crate::plan) fn new_history(draft: &Draft<'_>) -> Vec<String> {
    let tenant = draft.tenant;
    let on = format!("TABLE {}", qualified(&tenant.schema, &draft.look.desired.migrations.table));
    let mut sql = Vec::new();
    if tenant.access != Access::Owner {
        let user = ident(&tenant.username);
        sql.push(format!("REVOKE ALL ON {on} FROM {user}"));
        sql.push(format!("GRANT SELECT ON {on} TO {user}"));
    }
    if let Some(admin) = admin_who_reads(draft) {
        sql.push(format!("GRANT SELECT ON {on} TO {}", ident(admin)));
    }
    sql
}
