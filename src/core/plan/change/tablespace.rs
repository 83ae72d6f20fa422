//! A `default_tablespace` in which a tenant's roles may not create tables. No change: whose it is to create there is the
//! administrator's to say.

use crate::core::model::{Access, Grantee, Tablespace, ident};
use crate::core::plan::action::Change;
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;

const PARAMETER: &str = "default_tablespace";

/// Only where a plan makes a tenant, its settings or its tables: it is not to be read about every day.
pub(in crate::core::plan) fn warn(facts: &Facts<'_>, findings: &mut Findings) {
    let matters =
        |change: &Change| matches!(change, Change::CreateRole(_) | Change::SetSetting(_) | Change::Migrate(_));
    if !findings.changes.iter().any(matters) {
        return;
    }
    let database = &facts.fleet.observed.database;
    let (tenant, user) = (facts.tenant, &facts.tenant.username);
    let makes_tables = matches!(tenant.access, Access::Full | Access::Owner);
    if let Some(name) = of_the_role(facts) {
        let closed = database.tablespaces.get(name).is_some_and(|space| !is_open(space, user));
        if makes_tables && closed {
            let detail = format!(
                "default_tablespace of {user} is {name:?}, where it may not create tables: its own CREATE TABLE fails (42501); {}, or set another one",
                grant(name)
            );
            findings.hazard(HazardKind::TablespaceClosed, detail);
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
    findings.hazard(HazardKind::TablespaceClosed, detail);
}

/// What is declared, or what stays of what was set by hand.
fn of_the_role<'a>(facts: &'a Facts<'_>) -> Option<&'a String> {
    let by_hand = || facts.current.role.filter(|_| facts.keeps_extras())?.settings.get(PARAMETER);
    facts.tenant.settings.get(PARAMETER).or_else(by_hand).filter(|name| !name.is_empty())
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
