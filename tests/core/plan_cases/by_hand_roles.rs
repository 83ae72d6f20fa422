//! What somebody did by hand to roles, and to what roles hold elsewhere.

use tenantry::model::{
    Acl, Gift, Given, GlobalDefaultAcl, Grantee, Hold, Holding, Membership, Observed, Outside, Role,
};

use super::by_hand::How;

pub fn alter_role(role: &mut Role, words: &[&str]) -> Option<()> {
    match words {
        [power @ ("superuser" | "createdb" | "createrole" | "replication" | "bypassrls")] => {
            let known = ["SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS"];
            role.powers.extend(known.into_iter().filter(|known| known.eq_ignore_ascii_case(power)));
        }
        ["login"] => role.can_login = true,
        ["nologin"] => role.can_login = false,
        ["noinherit"] => role.inherit = false,
        ["connection", "limit", limit] => role.connection_limit = limit.parse().ok()?,
        ["valid", "until", until @ ..] => role.valid_until = Some(until.join(" ")),
        ["set", parameter, "=", value @ ..] => drop(role.settings.insert((*parameter).into(), value.join(" "))),
        ["in", "database", "set", parameter, "=", value @ ..] => {
            drop(role.database_settings.insert((*parameter).into(), value.join(" ")));
        }
        ["is", "the", "admin's"] => role.admin_is_member = true,
        _ => return None,
    }
    Some(())
}

/// `with admin`, `without inherit`, `by GRANTOR`.
pub fn membership(observed: &mut Observed, role: &str, member: &str, how: &[&str]) -> Option<()> {
    let group = tenantry::plan::group_role(&observed.database.name);
    let seen_from = |other: &str| {
        let mut membership = Membership::plain(other);
        match how {
            [] => {}
            ["with", "admin"] => membership.admin = true,
            ["without", "inherit"] => membership.inherit = false,
            ["by", grantor] => membership.grantor = Some((*grantor).into()),
            _ => return None,
        }
        Some(membership)
    };
    let (of_member, of_role) = (seen_from(role)?, seen_from(member)?);
    let mut known = false;
    if let Some(member) = observed.roles.get_mut(member) {
        known = true;
        member.member_of.retain(|membership| membership.role != role);
        member.member_of.insert(of_member.clone());
    }
    if member == group {
        known = observed.database.group.as_mut()?.role.member_of.insert(of_member);
    }
    if let Some(role) = observed.roles.get_mut(role) {
        known = true;
        role.members.insert(of_role.clone());
    }
    if role == group {
        known = observed.database.group.as_mut()?.role.members.insert(of_role);
    }
    known.then_some(())
}

pub fn group(observed: &mut Observed, words: &[&str]) -> Option<()> {
    let group = observed.database.group.as_mut()?;
    match words {
        ["outside", rest @ ..] => outside(&mut group.role, rest)?,
        words => alter_role(&mut group.role, words)?,
    }
    Some(())
}

/// `owns KIND IDENTITY`, `PRIVILEGE on KIND IDENTITY of OWNER [in SCHEMA] [by GRANTOR] [not ours]`.
pub fn outside(role: &mut Role, words: &[&str]) -> Option<()> {
    let (words, ours) = match words {
        [words @ .., "not", "ours"] => (words, false),
        words => (words, true),
    };
    let (words, grantor) = match words {
        [words @ .., "by", grantor] => (words, Some((*grantor).to_owned())),
        words => (words, None),
    };
    let (words, schema) = match words {
        [words @ .., "in", schema] => (words, Some((*schema).to_owned())),
        words => (words, None),
    };
    let (kind, identity, held) = match words {
        ["owns", kind, identity] => (kind, identity, Holding::Owned),
        [privileges, "on", kind, identity, "of", owner] => {
            let (privileges, owner) = ((*privileges).replace(',', ", "), (*owner).to_owned());
            (kind, identity, Holding::Granted { column: None, privileges, grantor, owner, ours })
        }
        _ => return None,
    };
    role.outside.push(Outside { kind: (*kind).into(), identity: (*identity).into(), schema, held });
    Some(())
}

/// `owns KIND IDENTITY`, `N owned M named in database NAME`,
/// `(PRIVILEGES | future TABLES | policy NAME [also ROLE]) on KIND IDENTITY by GIVER [in SCHEMA] [ours]`.
pub fn holds(role: &mut Role, words: &[&str]) -> Option<()> {
    let hold = match words {
        ["owns", kind, identity] => Hold::Owned { kind: (*kind).into(), identity: (*identity).into() },
        [owned, "owned", granted, "named", "in", "database", database] => {
            Hold::Abroad { database: (*database).into(), owned: owned.parse().ok()?, granted: granted.parse().ok()? }
        }
        words => Hold::Given(given(words)?),
    };
    role.holds.push(hold);
    Some(())
}

fn given(words: &[&str]) -> Option<Given> {
    let (words, ours) = match words {
        [words @ .., "ours"] => (words, true),
        words => (words, false),
    };
    let (words, schema) = match words {
        [words @ .., "in", schema] => (words, Some((*schema).to_owned())),
        words => (words, None),
    };
    let [what @ .., "on", kind, identity, "by", by] = words else { return None };
    let gift = match what {
        ["future", plural] => Gift::Future { plural: (*plural).into(), privileges: "SELECT".into() },
        ["policy", name, "also", other] => Gift::Policy { name: (*name).into(), others: vec![(*other).into()] },
        ["policy", name] => Gift::Policy { name: (*name).into(), others: Vec::new() },
        [privileges] => Gift::Privileges(privileges.replace(',', ", ")),
        _ => return None,
    };
    let (by, kind, identity) = ((*by).into(), (*kind).into(), (*identity).into());
    Some(Given { by, kind, identity, schema, gift, ours, reaches: true })
}

/// `LETTERS to ROLE`: added to what PostgreSQL gives by itself; `LETTERS from PUBLIC`: taken from it.
pub fn every_schema(role: &mut Role, name: &str, kind: &str, words: &[&str]) -> Option<()> {
    let (plural, owners, publics) = match kind {
        "tables" => ("TABLES", "Dadrtwx", ""),
        "functions" => ("FUNCTIONS", "X", "X"),
        _ => return None,
    };
    let builtin = Acl::default().with(Grantee::Role(name.into()), owners).with(Grantee::Public, publics);
    let [letters, word @ ("to" | "from"), grantee] = words else { return None };
    let how = How { grant: *word == "to", option: false, by: None };
    let acl = how.change(&builtin, letters, grantee);
    role.default_acls.push(GlobalDefaultAcl { plural, acl, builtin });
    Some(())
}
