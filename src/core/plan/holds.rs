//! What keeps a role from being dropped: taken away before by whoever gave it, where we may act as that role; otherwise the
//! drop is blocked before anything is done.
//!
//! DROP OWNED would not do. As a superuser it takes away what the owner granted, and not what another role did; as anybody
//! else only what that one may revoke, with a warning for the rest, and DROP ROLE then fails with 2BP01 (seen on 15 and 18).

use std::collections::BTreeMap;

use super::change::objects::do_block;
use super::change::outside::grant_word;
use super::diff::Look;
use super::tenant::Blocked;
use super::{Change, Kind, Sql, Step};
use crate::core::model::{Gift, Given, Hold, ident, literal};

/// So many of them are named.
const NAMED: usize = 3;

/// The drop of the role, for apply to look again at what keeps it.
pub(super) fn drop(look: &Look<'_>, kind: Kind, role: &str, sql: Vec<String>) -> Change {
    let holds = look.observed.roles.get(role).map(|found| found.holds.clone()).unwrap_or_default();
    Change::sql(kind, format!("role {role}"), sql).step(Step::DropRole { role: role.to_owned(), holds })
}

/// What takes away that which keeps these roles, by one change for each role that gave something. `lent`: whose rights the
/// transaction has for other reasons, and gives back later.
///
/// # Errors
/// What is not ours to take away, and who can.
pub(super) fn release(look: &Look<'_>, roles: &[String], lent: &[&str]) -> Result<Vec<Change>, Blocked> {
    let mut changes = Vec::new();
    let mut stuck = Vec::new();
    for role in roles {
        let mut gifts: BTreeMap<&str, Vec<&Given>> = BTreeMap::new();
        for hold in look.observed.roles.get(role).iter().flat_map(|found| &found.holds) {
            match hold {
                Hold::Given(given) if is_ours(look, given) => gifts.entry(&given.by).or_default().push(given),
                hold => stuck.push((role, hold)),
            }
        }
        changes.extend(gifts.into_iter().map(|(by, gifts)| take(look, role, by, &gifts, lent)));
    }
    if stuck.is_empty() { Ok(changes) } else { Err(blocked(&stuck)) }
}

/// What takes away that which others gave a role that is dropped after all tenants, as far as that is ours to do: what it owns
/// goes with them, or keeps it.
pub(super) fn gifts(look: &Look<'_>, role: &str) -> Vec<Sql> {
    let role = &role.to_owned();
    let mut gifts: BTreeMap<&str, Vec<&Given>> = BTreeMap::new();
    for hold in look.observed.roles.get(role).iter().flat_map(|found| &found.holds) {
        if let Hold::Given(given) = hold
            && is_ours(look, given)
        {
            gifts.entry(&given.by).or_default().push(given);
        }
    }
    gifts.into_iter().flat_map(|(by, gifts)| take(look, role, by, &gifts, &[]).sql).collect()
}

/// The giver is a role that we may SET ROLE to, or a tenant's, whose rights we may borrow. Nobody else's: that CREATEROLE
/// could, up to PostgreSQL 15, make us a member of any role is no reason to become one.
fn is_ours(look: &Look<'_>, given: &Given) -> bool {
    let server = &look.observed.server;
    let may_borrow = || {
        let found = look.observed.roles.get(&given.by).filter(|_| look.is_tenants(&given.by));
        found.is_some_and(|found| !found.powers.contains("SUPERUSER") && (server.major() < 16 || found.administered))
    };
    given.reaches && !given.by.is_empty() && (server.admin.superuser || given.ours || may_borrow())
}

fn take(look: &Look<'_>, role: &str, by: &str, gifts: &[&Given], lent: &[&str]) -> Change {
    let mut words: Vec<String> = gifts.iter().take(NAMED).map(|given| in_words(given)).collect();
    if gifts.len() > NAMED {
        words.push(format!("{} more", gifts.len() - NAMED));
    }
    let is_lent = look.observed.server.admin.superuser || lent.contains(&by);
    let borrowed = !is_lent && gifts.iter().any(|given| !given.ours);
    let statements: Vec<String> = gifts.iter().map(|given| statement(role, given)).collect();
    Change::sql(Kind::RevokeOutside, format!("what {by} gave {role}"), vec![block(look, by, borrowed, &statements)])
        .before(words.join("; "))
        .after("none")
}

/// As the giver, since nobody else's REVOKE reaches it. Who gave it, or what was given, may be gone by now, with a tenant
/// that is removed at the same time: then there is nothing left to take away.
fn block(look: &Look<'_>, by: &str, borrowed: bool, statements: &[String]) -> String {
    let server = &look.observed.server;
    let (giver, me) = (ident(by), ident(&server.admin.name));
    let with = if server.major() >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    let [borrow, give_back] = if borrowed {
        [format!("GRANT {giver} TO {me}{with};\n"), format!("\nREVOKE {giver} FROM {me};")]
    } else {
        Default::default()
    };
    let list = statements.iter().map(|sql| literal(sql)).collect::<Vec<_>>().join(",\n");
    do_block(&format!(
        "IF pg_catalog.to_regrole({}) IS NULL THEN RETURN; END IF;\n\
         {borrow}SET LOCAL ROLE {giver};\n\
         FOREACH o IN ARRAY ARRAY[{list}]::text[] LOOP\n\
         BEGIN EXECUTE o; EXCEPTION WHEN undefined_table OR undefined_object OR undefined_function OR invalid_schema_name OR invalid_catalog_name THEN NULL; END;\n\
         END LOOP;\n\
         RESET ROLE;{give_back}",
        literal(&giver)
    ))
}

fn statement(role: &str, given: &Given) -> String {
    let (from, identity) = (ident(role), &given.identity);
    match &given.gift {
        Gift::Privileges(_) => format!("REVOKE ALL ON {} {identity} FROM {from} CASCADE", grant_word(&given.kind)),
        Gift::Future { plural, .. } => {
            let place = given.schema.as_ref().map(|schema| format!(" IN SCHEMA {}", ident(schema))).unwrap_or_default();
            let by = ident(&given.by);
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {by}{place} REVOKE ALL ON {plural} FROM {from} CASCADE")
        }
        Gift::Policy { name, others } if others.is_empty() => format!("DROP POLICY {} ON {identity}", ident(name)),
        Gift::Policy { name, others } => {
            let others = others.iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
            format!("ALTER POLICY {} ON {identity} TO {others}", ident(name))
        }
    }
}

fn in_words(given: &Given) -> String {
    let object = format!("{} {}", given.kind, given.identity);
    match &given.gift {
        Gift::Privileges(privileges) => format!("{privileges} on {object}"),
        Gift::Future { plural, privileges } => {
            let place = given.schema.as_ref().map_or("every schema".to_owned(), |schema| format!("schema {schema}"));
            format!("{privileges} on future {} in {place}", plural.to_lowercase())
        }
        Gift::Policy { name, .. } => format!("policy {name} on {object}"),
    }
}

fn blocked(stuck: &[(&String, &Hold)]) -> Blocked {
    let mut reasons = Vec::new();
    let mut hints = Vec::new();
    for (role, hold) in stuck.iter().take(NAMED) {
        let (reason, hint) = why(role, hold);
        reasons.push(reason);
        hints.push(hint);
    }
    if stuck.len() > NAMED {
        reasons.push(format!("{} more", stuck.len() - NAMED));
    }
    Blocked::new(format!("PostgreSQL would not drop its roles: {}", reasons.join("; ")), hints.join("; "))
}

fn why(role: &str, hold: &Hold) -> (String, String) {
    let from = ident(role);
    match hold {
        Hold::Owned { kind, identity } => (
            format!("{role} owns {kind} {identity} outside of its schema"),
            format!("ALTER {} {identity} OWNER TO ..., or drop it", grant_word(kind)),
        ),
        Hold::Given(given) if !given.reaches => (
            format!("{role}: {}, given by {}, who may not use that schema any more", in_words(given), given.by),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {}, and plan again",
                ident(given.schema.as_deref().unwrap_or_default()),
                ident(&given.by)
            ),
        ),
        Hold::Given(given) => (
            format!("{role}: {}, given by {}, is not ours to take away", in_words(given), given.by),
            format!("as {}: {}", given.by, statement(role, given)),
        ),
        Hold::Abroad { database, owned, granted } => {
            let found = match (owned, granted) {
                (owned, 0) => format!("{role} owns {owned} of the objects in database {database}"),
                (0, granted) => format!("{role} has privileges on {granted} of the objects in database {database}"),
                (owned, granted) => {
                    format!(
                        "{role} owns {owned} of the objects in database {database}, and has privileges on {granted}"
                    )
                }
            };
            let keep = if *owned > 0 { "; what is to be kept, first: REASSIGN OWNED BY ... TO ..." } else { "" };
            (found, format!("in database {database}, as a superuser: DROP OWNED BY {from}{keep}"))
        }
    }
}
