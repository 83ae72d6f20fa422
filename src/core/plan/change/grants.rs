//! Privileges: on the schema, on what is in it, and on the history.

use std::collections::{BTreeMap, BTreeSet};

use super::acl::{Difference, Expected, differences};
use super::object_grants;
use crate::core::model::{Access, Acl, Column, Grantee, History, ObjectKind, Server, Tenant, ident, qualified};
use crate::core::plan::privileges::{OWNERS_ON_SCHEMA, owners_privileges, schema_privileges, sorted};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let schema = draft.current.schema.clone().unwrap_or_default();
    on_schema(draft, &schema.acl);
    object_grants::diff(draft, &schema);
    if let History::Read { acl, columns, .. } | History::Unseen { acl, columns } = &schema.history {
        history(draft, acl, columns);
    }
}

/// The tenant holds these letters, a keeper that must be granted what it reads holds those.
pub(super) fn expected(draft: &Draft<'_>, tenants: &str, keepers: &str) -> Expected {
    expected_of(draft.tenant, &draft.look.observed.server, tenants, keepers)
}

/// A keeper who is not a superuser reads the histories by a grant, not by staying a member of every owner.
fn expected_of(tenant: &Tenant, server: &Server, tenants: &str, keepers: &str) -> Expected {
    let mut exactly = BTreeMap::new();
    if tenant.access != Access::Owner {
        exactly.insert(Grantee::Role(tenant.username.clone()), sorted(tenants));
    }
    if let Some(keeper) = server.reads_by_grant().filter(|_| !keepers.is_empty()) {
        exactly.insert(Grantee::Role(keeper), keepers.to_owned());
    }
    Expected {
        owner: tenant.owner().to_owned(),
        owners: String::new(),
        exactly,
        at_most: BTreeMap::new(),
        tolerated: [server.admin.name.clone(), server.keeper().name.clone()].into(),
    }
}

/// What holds an object's privileges to what is declared, as letters.
#[derive(Clone, Copy)]
pub(crate) struct Letters {
    pub tenants: &'static str,
    /// Of a keeper that must be granted what it reads.
    pub keepers: &'static str,
    /// What PUBLIC may have.
    pub by_default: &'static str,
    /// What the owner holds by itself.
    pub owners: &'static str,
}

/// Whether these privileges, and those on columns, are what a plan wants: for whoever shows them.
pub(crate) fn is_as_declared(
    tenant: &Tenant,
    server: &Server,
    (acl, columns): (&Acl, &[Column]),
    letters: Letters,
) -> bool {
    let mut expected = expected_of(tenant, server, letters.tenants, letters.keepers);
    expected.at_most.insert(Grantee::Public, letters.by_default.to_owned());
    expected.owners = letters.owners.to_owned();
    differences(acl, &expected).is_empty()
        && columns.iter().all(|column| on_column(column, &expected, letters.tenants).is_empty())
}

/// The change that fixes a difference on one thing that GRANT can name; what is kept is noted.
pub(super) fn mend(draft: &mut Draft<'_>, kind: Kind, what: &str, on: &str, prefix: &str, difference: &Difference) {
    let keep = draft.keeps(&difference.grantee);
    if keep && difference.takes() {
        draft.note(what, difference.before());
    }
    if keep && !difference.gives() {
        return;
    }
    let sql = difference.sql(on, keep).iter().map(|sql| format!("{prefix}{sql}")).collect();
    draft.changes.push(Change::sql(kind, what, sql).before(difference.before()).after(difference.after(keep)));
}

fn on_schema(draft: &mut Draft<'_>, acl: &Acl) {
    let name = &draft.tenant.schema;
    let mut expected = expected(draft, schema_privileges(draft.tenant.access), "U");
    if draft.current.schema.is_some() {
        expected.owners = OWNERS_ON_SCHEMA.to_owned();
    }
    for difference in differences(acl, &expected) {
        mend(draft, Kind::GrantSchema, &format!("schema {name}"), &format!("SCHEMA {}", ident(name)), "", &difference);
    }
}

/// The history is the tenant's to SELECT only, whatever the access ("owner" apart) and the mode: nobody else may change
/// what tenantry goes by. Others who read it are extras like any.
fn history(draft: &mut Draft<'_>, acl: &Acl, columns: &[Column]) {
    let table = &draft.look.desired.migrations.table;
    let what = format!("history {table}");
    let on = format!("TABLE {}", qualified(&draft.tenant.schema, table));
    let mut expected = expected(draft, "r", "r");
    expected.owners = owners_privileges(ObjectKind::Table, draft.look.observed.server.major()).to_owned();
    if draft.keeps_extras() {
        let is_known = |who: &Grantee| match who {
            Grantee::Role(role) => {
                *role == expected.owner || expected.tolerated.contains(role) || expected.exactly.contains_key(who)
            }
            Grantee::Public => false,
        };
        let readers = acl.entries().filter(|entry| entry.privileges.contains('r') && !is_known(entry.grantee));
        expected.at_most = readers.map(|entry| (entry.grantee.clone(), "r".to_owned())).collect();
        for reader in expected.at_most.keys() {
            draft.note(what.clone(), format!("{reader}: SELECT"));
        }
    }
    for difference in differences(acl, &expected) {
        let sql = difference.sql(&on, false);
        draft.changes.push(
            Change::sql(Kind::GrantHistory, what.clone(), sql)
                .before(difference.before())
                .after(difference.after(false)),
        );
    }
    for column in columns {
        for found in on_column(column, &expected, "r") {
            let sql = column_sql(&on, &column.name, &found);
            let before = format!("{} on column {}", found.before(), column.name);
            draft
                .changes
                .push(Change::sql(Kind::GrantHistory, what.clone(), sql).before(before).after(found.after(false)));
        }
    }
}

/// Privileges on a column that go beyond those on the table; within them they change nothing.
pub(super) fn on_column(column: &Column, on_table: &Expected, tenants: &str) -> Vec<Difference> {
    let mut expected = Expected { owners: String::new(), ..on_table.clone() };
    let exact = std::mem::take(&mut expected.exactly).into_keys();
    expected.at_most = exact.map(|who| (who, tenants.to_owned())).collect();
    differences(&column.acl, &expected)
}

/// What another role granted on a column outlives that role's grant option, when it had that on the table; so the option
/// is given on the column, for CASCADE to find (seen on 15 and 18).
pub(in crate::core::plan) fn column_sql(on: &str, column: &str, found: &Difference) -> Vec<String> {
    let column = ident(column);
    let mut from: BTreeSet<String> = [super::acl::quoted(&found.grantee)].into();
    let mut sql = Vec::new();
    for grantor in found.grantors() {
        sql.push(format!("GRANT ALL ({column}) ON {on} TO {} WITH GRANT OPTION", ident(grantor)));
        from.insert(ident(grantor));
    }
    sql.extend(from.iter().map(|role| format!("REVOKE ALL ({column}) ON {on} FROM {role} CASCADE")));
    sql
}

/// What runs right after the history table is made: default privileges gave the tenant more than it may have.
pub(in crate::core::plan) fn new_history(draft: &Draft<'_>) -> Vec<String> {
    let tenant = draft.tenant;
    let on = format!("TABLE {}", qualified(&tenant.schema, &draft.look.desired.migrations.table));
    let mut sql = Vec::new();
    if tenant.access != Access::Owner {
        let user = ident(&tenant.username);
        sql.push(format!("REVOKE ALL ON {on} FROM {user}"));
        sql.push(format!("GRANT SELECT ON {on} TO {user}"));
    }
    if let Some(keeper) = draft.look.observed.server.reads_by_grant() {
        sql.push(format!("GRANT SELECT ON {on} TO {}", ident(&keeper)));
    }
    sql
}
