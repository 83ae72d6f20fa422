//! A `default_tablespace` in which a tenant's roles may not create tables. No change: whose it is to create there is the
//! administrator's to say.

use crate::core::model::{Access, Grantee, Tablespace, ident};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{HazardKind, Kind};

const PARAMETER: &str = "default_tablespace";

/// Only where a plan makes a tenant, its settings or its tables: it is not to be read about every day.
pub(in crate::core::plan) fn warn(draft: &mut Draft<'_>) {
    let matters = |kind: Kind| matches!(kind, Kind::CreateRole | Kind::SetSettings | Kind::Migrate);
    if !draft.changes.iter().any(|change| matters(change.kind)) {
        return;
    }
    let database = &draft.look.observed.database;
    let (tenant, user) = (draft.tenant, &draft.tenant.username);
    let makes_tables = matches!(tenant.access, Access::Full | Access::Owner);
    if let Some(name) = of_the_role(draft) {
        let closed = database.tablespaces.get(name).is_some_and(|space| !is_open(space, user));
        if makes_tables && closed {
            let detail = format!(
                "default_tablespace of {user} is {name:?}, where it may not create tables: its own CREATE TABLE fails (42501); {}, or set another one",
                grant(name)
            );
            draft.hazard(HazardKind::TablespaceClosed, detail);
        }
        return;
    }
    let Some((name, space)) = database.tablespaces.iter().find(|(_, space)| space.is_default) else { return };
    let mut consequences = Vec::new();
    if makes_tables && !is_open(space, user) {
        consequences.push(format!("what {user} creates itself fails (42501)"));
    }
    // What every session of ours goes by: see `session::prepare`.
    if !space.is_own && !space.acl.of_public().contains('C') {
        consequences.push("migrations put their tables into the database's own tablespace".to_owned());
    }
    if consequences.is_empty() {
        return;
    }
    let detail = format!(
        "default_tablespace of database {} is {name:?}, where not everybody may create tables: {}; {}, or set another one",
        database.name,
        consequences.join(", and "),
        grant(name)
    );
    draft.hazard(HazardKind::TablespaceClosed, detail);
}

/// What is declared, or what stays of what was set by hand.
fn of_the_role<'a>(draft: &'a Draft<'_>) -> Option<&'a String> {
    let by_hand = || draft.current.role.as_ref().filter(|_| draft.keeps_extras())?.settings.get(PARAMETER);
    draft.tenant.settings.get(PARAMETER).or_else(by_hand).filter(|name| !name.is_empty())
}

fn is_open(space: &Tablespace, role: &str) -> bool {
    let role = Grantee::Role(role.to_owned());
    let mut entries = space.acl.entries();
    space.is_own
        || entries.any(|entry| {
            (*entry.grantee == role || *entry.grantee == Grantee::Public) && entry.privileges.contains('C')
        })
}

fn grant(space: &str) -> String {
    format!("GRANT CREATE ON TABLESPACE {} TO PUBLIC", ident(space))
}
