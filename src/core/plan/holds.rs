//! What keeps a role from being dropped: taken away before by whoever gave it, where we may act as that role; otherwise the
//! drop is blocked before anything is done.
//!
//! DROP OWNED would not do. As a superuser it takes away what the owner granted, and not what another role did; as anybody
//! else only what that one may revoke, with a warning for the rest, and DROP ROLE then fails with 2BP01 (seen on 15 and 18).

use std::collections::BTreeMap;

use super::action::{DropRole, HandOver, RevokeGifts, Whose, gift_in_words, gift_statement, grant_word};
use super::fleet::Fleet;
use super::tenant_plan::Blocked;
use crate::core::model::{Given, Hold, ident};

/// So many of them are named.
const NAMED: usize = 3;

/// The drop of the role, for apply to look again at what keeps it.
pub(super) fn drop(fleet: &Fleet<'_>, whose: Whose, role: &str, hand_over: Option<HandOver>) -> DropRole {
    let holds = fleet.observed.roles.get(role).map(|found| found.holds.clone()).unwrap_or_default();
    let is_remembered = whose == Whose::Owner && fleet.is_remembered_owner(role);
    DropRole { whose, role: role.to_owned(), holds, hand_over, is_remembered }
}

/// What takes away that which keeps these roles, by one change for each role that gave something. `lent`: whose rights the
/// transaction has for other reasons, and gives back later.
///
/// # Errors
/// What is not ours to take away, and who can.
pub(super) fn release(fleet: &Fleet<'_>, roles: &[String], lent: &[&str]) -> Result<Vec<RevokeGifts>, Blocked> {
    let mut changes = Vec::new();
    let mut stuck = Vec::new();
    for role in roles {
        let mut gifts: BTreeMap<&str, Vec<&Given>> = BTreeMap::new();
        for hold in fleet.observed.roles.get(role).iter().flat_map(|found| &found.holds) {
            match hold {
                Hold::Given(given) if is_ours(fleet, given) => gifts.entry(&given.by).or_default().push(given),
                hold => stuck.push((role, hold)),
            }
        }
        changes.extend(gifts.into_iter().map(|(by, gifts)| take(fleet, role, by, &gifts, lent)));
    }
    if stuck.is_empty() { Ok(changes) } else { Err(blocked(&stuck)) }
}

/// What takes away that which others gave a role that is dropped after all tenants, as far as that is ours to do: what it owns
/// goes with them, or keeps it.
pub(super) fn gifts(fleet: &Fleet<'_>, role: &str) -> Vec<RevokeGifts> {
    let mut gifts: BTreeMap<&str, Vec<&Given>> = BTreeMap::new();
    for hold in fleet.observed.roles.get(role).iter().flat_map(|found| &found.holds) {
        if let Hold::Given(given) = hold
            && is_ours(fleet, given)
        {
            gifts.entry(&given.by).or_default().push(given);
        }
    }
    gifts.into_iter().map(|(by, gifts)| take(fleet, role, by, &gifts, &[])).collect()
}

/// The giver is a role that we may SET ROLE to, or a tenant's, whose rights we may borrow. Nobody else's: that CREATEROLE
/// could, up to PostgreSQL 15, make us a member of any role is no reason to become one.
fn is_ours(fleet: &Fleet<'_>, given: &Given) -> bool {
    let server = &fleet.observed.server;
    let may_borrow = || {
        let found = fleet.observed.roles.get(&given.by).filter(|_| fleet.is_tenants(&given.by));
        found.is_some_and(|found| !found.powers.contains("SUPERUSER") && (server.major() < 16 || found.administered))
    };
    given.reaches && !given.by.is_empty() && (server.admin.superuser || given.ours || may_borrow())
}

fn take(fleet: &Fleet<'_>, role: &str, by: &str, gifts: &[&Given], lent: &[&str]) -> RevokeGifts {
    let server = &fleet.observed.server;
    let is_lent = server.admin.superuser || lent.contains(&by);
    let borrows = !is_lent && gifts.iter().any(|given| !given.ours);
    RevokeGifts {
        role: role.to_owned(),
        by: by.to_owned(),
        gifts: gifts.iter().map(|given| (*given).clone()).collect(),
        borrower: borrows.then(|| (server.admin.name.clone(), server.major() >= 16)),
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
            format!("{role}: {}, given by {}, who may not use that schema any more", gift_in_words(given), given.by),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {}, and plan again",
                ident(given.schema.as_deref().unwrap_or_default()),
                ident(&given.by)
            ),
        ),
        Hold::Given(given) => (
            format!("{role}: {}, given by {}, is not ours to take away", gift_in_words(given), given.by),
            format!("as {}: {}", given.by, gift_statement(role, given)),
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
