//! What an ACL should be, how it differs, and the REVOKE and GRANT that fix it.

use std::collections::{BTreeMap, BTreeSet};

use super::privileges::{in_words, sorted, spell, words_of};
use crate::core::model::{Access, Acl, Column, Entry, Grantee, Server, Tenant, ident};

/// Who should hold what on an object, as sorted letters.
#[derive(Clone, Default)]
pub(super) struct Expected {
    pub owner: String,
    /// What the owner holds at least: somebody may have taken it away, and foreign keys, views and SECURITY DEFINER functions
    /// run with the owner's rights.
    pub owners: String,
    pub exactly: BTreeMap<Grantee, String>,
    /// No more than this; nobody else may hold anything.
    pub at_most: BTreeMap<Grantee, String>,
    /// Whatever they hold, but not to be passed on.
    pub tolerated: BTreeSet<String>,
}

/// What one grantee holds and should not, or should and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub grantee: Grantee,
    /// All it holds.
    held: Vec<Held>,
    /// Granted by the owner.
    have: String,
    want: String,
    /// Those of the wanted that it may pass on.
    options: String,
    /// Other roles that granted it something.
    grantors: BTreeSet<String>,
}

/// What somebody granted a role, as letters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    privileges: String,
    grantable: String,
    /// `None`: the owner.
    grantor: Option<String>,
}

/// `have` without `other`.
fn without(have: &str, other: &str) -> String {
    have.chars().filter(|letter| !other.contains(*letter)).collect()
}

fn both(have: &str, other: &str) -> String {
    have.chars().filter(|letter| other.contains(*letter)).collect()
}

/// How an ACL differs, grantee by grantee.
pub(super) fn differences(acl: &Acl, expected: &Expected) -> Vec<Difference> {
    let mut grantees: BTreeSet<&Grantee> = acl.entries().map(|entry| entry.grantee).collect();
    grantees.extend(expected.exactly.keys());
    let is_owner = |grantee: &Grantee| matches!(grantee, Grantee::Role(role) if *role == expected.owner);
    let mut differences: Vec<_> = of_owner(acl, expected).into_iter().collect();
    for grantee in grantees.into_iter().filter(|grantee| !is_owner(grantee)) {
        let have = acl.letters(grantee);
        let want = match (expected.exactly.get(grantee), grantee) {
            (Some(want), _) => want.clone(),
            (None, Grantee::Role(role)) if expected.tolerated.contains(role) => have.clone(),
            (None, _) => both(&have, expected.at_most.get(grantee).map_or("", String::as_str)),
        };
        let mut difference = Difference {
            grantee: grantee.clone(),
            held: Vec::new(),
            options: String::new(),
            grantors: BTreeSet::new(),
            have,
            want,
        };
        for entry in acl.entries().filter(|entry| entry.grantee == grantee) {
            match entry.grantor {
                None => difference.options = both(&entry.grantable, &difference.want),
                Some(grantor) => drop(difference.grantors.insert(grantor.to_owned())),
            }
            difference.held.push(Held {
                privileges: entry.privileges.clone(),
                grantable: entry.grantable.clone(),
                grantor: entry.grantor.map(str::to_owned),
            });
        }
        if difference.takes() || difference.gives() {
            differences.push(difference);
        }
    }
    differences
}

/// What the owner lacks of its own. Nothing is ever taken from it.
fn of_owner(acl: &Acl, expected: &Expected) -> Option<Difference> {
    let have = acl.of(&expected.owner);
    let lacking = without(&expected.owners, &have);
    (!lacking.is_empty()).then(|| Difference {
        grantee: Grantee::Role(expected.owner.clone()),
        held: of_itself(&have),
        want: sorted(&format!("{have}{lacking}")),
        have,
        options: String::new(),
        grantors: BTreeSet::new(),
    })
}

fn of_itself(have: &str) -> Vec<Held> {
    let held = Held { privileges: have.to_owned(), grantable: String::new(), grantor: None };
    if have.is_empty() { Vec::new() } else { vec![held] }
}

/// `SELECT WITH GRANT OPTION, INSERT, granted by somebody`.
pub(crate) fn held(entry: &Entry<'_>) -> String {
    spell_held(&entry.privileges, &entry.grantable, entry.grantor)
}

fn spell_held(privileges: &str, grantable: &str, grantor: Option<&str>) -> String {
    let plain = without(privileges, grantable);
    let mut parts = Vec::new();
    if !grantable.is_empty() {
        parts.extend(words_of(grantable).map(|word| format!("{word} WITH GRANT OPTION")));
    }
    if !plain.is_empty() {
        parts.push(spell(&plain));
    }
    let by = grantor.map(|grantor| format!(" granted by {grantor}")).unwrap_or_default();
    format!("{}{by}", parts.join(", "))
}

impl Difference {
    /// It holds more than it should, or in another way.
    pub fn takes(&self) -> bool {
        !self.extra().is_empty() || !self.options.is_empty() || !self.grantors.is_empty()
    }

    pub fn gives(&self) -> bool {
        !self.lacking().is_empty()
    }

    fn extra(&self) -> String {
        without(&self.have, &self.want)
    }

    fn lacking(&self) -> String {
        without(&self.want, &self.have)
    }

    /// What it should hold by the owner's grant, as sorted letters.
    pub fn want(&self) -> &str {
        &self.want
    }

    /// All it holds, in words.
    pub fn held(&self) -> String {
        let words: Vec<String> = self
            .held
            .iter()
            .map(|held| spell_held(&held.privileges, &held.grantable, held.grantor.as_deref()))
            .collect();
        if words.is_empty() { in_words("") } else { words.join("; ") }
    }

    /// The grantee and what it holds.
    pub fn before(&self) -> String {
        format!("{}: {}", self.grantee, self.held())
    }

    /// The grantee and what it will hold.
    pub fn after(&self, keep: bool) -> String {
        let more = if keep { without(&self.have, &self.want) } else { String::new() };
        format!("{}: {}", self.grantee, in_words(&format!("{}{more}", self.want)))
    }

    /// Other roles whose grants are to go.
    pub fn grantors(&self) -> &BTreeSet<String> {
        &self.grantors
    }

    /// `REVOKE` then `GRANT` of what differs, on one thing that GRANT can name; no REVOKE when extras are kept.
    ///
    /// CASCADE takes along what the grantee passed on to others; without it REVOKE fails with 2BP01. What another role
    /// granted goes with that role's grant option, which is the owner's to take: a plain REVOKE does not reach it.
    pub fn sql(&self, on: &str, keep: bool) -> Vec<String> {
        let to = quoted(&self.grantee);
        let mut sql = Vec::new();
        if !keep {
            let extra = self.extra();
            if !extra.is_empty() {
                sql.push(format!("REVOKE {} ON {on} FROM {to} CASCADE", spell(&extra)));
            }
            if !self.options.is_empty() {
                sql.push(format!("REVOKE GRANT OPTION FOR {} ON {on} FROM {to} CASCADE", spell(&self.options)));
            }
            for grantor in &self.grantors {
                sql.push(format!("REVOKE GRANT OPTION FOR ALL ON {on} FROM {} CASCADE", ident(grantor)));
            }
        }
        if self.gives() {
            sql.push(format!("GRANT {} ON {on} TO {to}", spell(&self.lacking())));
        }
        sql
    }
}

pub(super) fn quoted(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Public => "PUBLIC".into(),
        Grantee::Role(role) => ident(role),
    }
}

/// A keeper who is not a superuser reads the histories by a grant, not by staying a member of every owner.
pub(super) fn expected_of(tenant: &Tenant, server: &Server, tenants: &str, keepers: &str) -> Expected {
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
        && columns.iter().all(|column| on_column(&column.acl, &expected, letters.tenants).is_empty())
}

/// Privileges on a column that go beyond those on the table; within them they change nothing.
pub(super) fn on_column(acl: &Acl, on_table: &Expected, tenants: &str) -> Vec<Difference> {
    let mut expected = Expected { owners: String::new(), ..on_table.clone() };
    let exact = std::mem::take(&mut expected.exactly).into_keys();
    expected.at_most = exact.map(|who| (who, tenants.to_owned())).collect();
    differences(acl, &expected)
}

/// What another role granted on a column outlives that role's grant option, when it had that on the table; so the option
/// is given on the column, for CASCADE to find (seen on 15 and 18).
pub(super) fn column_sql(on: &str, column: &str, found: &Difference) -> Vec<String> {
    let column = ident(column);
    let mut from: BTreeSet<String> = [quoted(&found.grantee)].into();
    let mut sql = Vec::new();
    for grantor in found.grantors() {
        sql.push(format!("GRANT ALL ({column}) ON {on} TO {} WITH GRANT OPTION", ident(grantor)));
        from.insert(ident(grantor));
    }
    sql.extend(from.iter().map(|role| format!("REVOKE ALL ({column}) ON {on} FROM {role} CASCADE")));
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let role = |name: &str| Grantee::Role(name.into());
        Expected {
            owner: "o".into(),
            owners: String::new(),
            exactly: [(role("u"), "r".into())].into(),
            at_most: [(Grantee::Public, "r".into())].into(),
            tolerated: ["admin".into()].into(),
        }
    }

    fn sql(items: &[&str]) -> Vec<String> {
        let acl = Acl::parse(items, "o").unwrap();
        differences(&acl, &expected()).iter().flat_map(|difference| difference.sql("t", false)).collect()
    }

    #[test]
    fn what_is_as_expected_differs_in_nothing() {
        assert!(sql(&["o=/o", "u=r/o", "=r/o", "admin=rw/o"]).is_empty());
        assert!(sql(&["u=r/o"]).is_empty());
    }

    #[test]
    fn a_grant_option_is_taken_and_with_it_what_was_passed_on() {
        assert_eq!(
            sql(&["u=r*/o", "x=r/u"]),
            [
                "REVOKE GRANT OPTION FOR SELECT ON t FROM \"u\" CASCADE",
                "REVOKE GRANT OPTION FOR ALL ON t FROM \"u\" CASCADE"
            ]
        );
        assert_eq!(sql(&["u=r/o", "admin=w*/o"]), ["REVOKE GRANT OPTION FOR UPDATE ON t FROM \"admin\" CASCADE"]);
    }

    #[test]
    fn an_owner_is_given_back_what_it_lacks_and_keeps_what_it_has() {
        let expected = Expected { owners: "arw".into(), ..expected() };
        let found = differences(&Acl::parse(&["o=rD/o", "u=r/o"], "o").unwrap(), &expected);
        let words: Vec<_> = found.iter().map(|found| (found.before(), found.after(false), found.takes())).collect();
        assert_eq!(words, [("o: SELECT, TRUNCATE".into(), "o: SELECT, INSERT, UPDATE, TRUNCATE".into(), false)]);
        assert_eq!(found[0].sql("t", false), ["GRANT INSERT, UPDATE ON t TO \"o\""]);
    }

    #[test]
    fn a_right_that_only_a_stranger_granted_is_granted_anew() {
        assert_eq!(
            sql(&["x=r*w/o", "u=r/x"]),
            [
                "REVOKE GRANT OPTION FOR ALL ON t FROM \"x\" CASCADE",
                "GRANT SELECT ON t TO \"u\"",
                "REVOKE SELECT, UPDATE ON t FROM \"x\" CASCADE"
            ]
        );
        let acl = Acl::parse(&["x=r*w/o", "u=r/x"], "o").unwrap();
        let held: Vec<_> = differences(&acl, &expected()).iter().map(Difference::before).collect();
        assert_eq!(held, ["u: SELECT granted by x", "x: SELECT WITH GRANT OPTION, UPDATE"]);
    }
}
