//! Finding a tenant's schema and roles, under the name they have or a name they are to lose; renames in place.

use std::borrow::Cow;

use crate::core::model::{Access, History, Role, Schema, ident};
use crate::core::plan::action::{RenameRole, RenameSchema, Whose};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::identity;
use crate::core::plan::tenant_plan::Blocked;

/// Fills in `current`, and plans the renames that bring what is there to its declared names.
///
/// # Errors
/// When a declared name is taken by something that is not this tenant's.
pub(in crate::core::plan) fn locate(facts: &mut Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    refuse_our_own(facts)?;
    let renamed_schema = schema(facts, findings)?;
    let renamed_user = username(facts, findings)?;
    let renamed_owner = owner(facts, findings)?;
    let renamed: Vec<&RenameRole> = [&renamed_user, &renamed_owner].into_iter().flatten().collect();
    let new_name = |name: &str| renamed.iter().find(|rename| rename.from == name).map(|rename| rename.to.clone());
    if let Some(schema) = facts.current.schema.as_mut().filter(|_| !renamed.is_empty()) {
        apply_names(Cow::to_mut(schema), &new_name);
    }
    if let Some(former) = &facts.current.former_owner {
        facts.current.former_owner = new_name(former).or_else(|| Some(former.clone())).filter(|f| f != tenant.owner());
    }
    if renamed_schema || renamed_user.is_some() {
        findings.hazard(
            HazardKind::ChangesCredentials,
            "clients must read the secret again: the user name or the schema changes",
        );
    }
    Ok(())
}

fn refuse_our_own(facts: &Facts<'_>) -> Result<(), Blocked> {
    let (tenant, fleet) = (facts.tenant, facts.fleet);
    for role in [&tenant.username, tenant.owner()] {
        if *role == fleet.observed.server.admin.name {
            return Err(Blocked::new(
                format!("{role:?} is the role tenantry itself is connected as"),
                "set another username or owner for the tenant",
            ));
        }
        if *role == fleet.group || *role == fleet.owners_group {
            return Err(Blocked::new(
                format!("{role:?} is a group role of tenantry's own"),
                "set another username or owner",
            ));
        }
    }
    Ok(())
}

pub(in crate::core::plan) fn apply_names(schema: &mut Schema, new_name: &dyn Fn(&str) -> Option<String>) {
    let rename = |name: &mut String| {
        if let Some(new) = new_name(name) {
            *name = new;
        }
    };
    rename(&mut schema.owner);
    schema.acl = schema.acl.renamed(new_name);
    for group in &mut schema.objects {
        rename(&mut group.owner);
        group.acl = group.acl.renamed(new_name);
        group.columns.iter_mut().for_each(|column| column.acl = column.acl.renamed(new_name));
    }
    for default in &mut schema.default_acls {
        rename(&mut default.role);
        default.acl = default.acl.renamed(new_name);
    }
    if let History::Read { acl, columns, .. } | History::Unseen { acl, columns } = &mut schema.history {
        *acl = acl.renamed(new_name);
        columns.iter_mut().for_each(|column| column.acl = column.acl.renamed(new_name));
    }
}

fn schema(facts: &mut Facts<'_>, findings: &mut Findings) -> Result<bool, Blocked> {
    let fleet = facts.fleet;
    let want = &facts.tenant.schema;
    let have = facts.registered.map_or(want, |row| &row.schema);
    let found = match facts.registered {
        Some(row) => identity::schema(fleet, &facts.tenant.key, row)?,
        None => None,
    };
    match (found, fleet.observed.schemas.get(want)) {
        (_, Some(_)) if facts.registered.is_none() || have != want => Err(taken(facts, "schema", want)),
        (Some(found), _) => {
            has_a_known_owner(facts, have, found)?;
            facts.current.schema = Some(Cow::Borrowed(found));
            if have != want {
                findings.change(RenameSchema { from: have.clone(), to: want.clone() });
            }
            Ok(have != want)
        }
        (None, _) => Ok(false),
    }
}

/// Without its OID, as after a restore into another cluster, a schema is distinguished from another by its owner; with it, an owner
/// that was changed by hand is changed back.
fn has_a_known_owner(facts: &Facts<'_>, name: &str, found: &Schema) -> Result<(), Blocked> {
    let Some(row) = facts.registered else { return Ok(()) };
    let known_owner = found.owner == row.owner || found.owner == facts.tenant.owner();
    if known_owner || row.schema_oid.is_some() {
        return Ok(());
    }
    Err(Blocked::new(
        format!(
            "schema {name:?} is not the one that was registered: it belongs to {:?}, not to {:?}",
            found.owner, row.owner
        ),
        format!("if it is this tenant's after all: ALTER SCHEMA {} OWNER TO {}", ident(name), ident(&row.owner)),
    ))
}

fn username(facts: &mut Facts<'_>, findings: &mut Findings) -> Result<Option<RenameRole>, Blocked> {
    let want = &facts.tenant.username;
    let have = facts.registered.map(|row| row.username.as_str());
    let (found, renamed) = role(facts, Whose::Username, have, want)?;
    facts.current.role = found;
    findings.changes.extend(renamed.clone().map(Into::into));
    Ok(renamed)
}

fn owner(facts: &mut Facts<'_>, findings: &mut Findings) -> Result<Option<RenameRole>, Blocked> {
    let (fleet, tenant) = (facts.fleet, facts.tenant);
    let former = facts.registered.map(|row| row.owner.clone());
    facts.current.former_owner = former.filter(|former| former != tenant.owner());
    if tenant.access == Access::Owner {
        return Ok(None);
    }
    let want = &tenant.owner_role;
    if fleet.is_shared_owner(want, &tenant.key) {
        facts.current.owner = Some(shared_owner(facts, want)?);
        return Ok(None);
    }
    let registered_owner = facts.registered.filter(|row| row.access != Access::Owner).map(|row| row.owner.as_str());
    // A role that owns for others too cannot be renamed for one of them: its objects change hands instead.
    let have = registered_owner.filter(|have| !fleet.is_shared_owner(have, &tenant.key));
    let have = if facts.adoption.is_some() { Some(want.as_str()) } else { have };
    let (found, renamed) = role(facts, Whose::Owner, have, want)?;
    facts.current.owner = found.map(Cow::Borrowed);
    findings.changes.extend(renamed.clone().map(Into::into));
    Ok(renamed)
}

/// A shared owner is made before the tenants; it is used as it is, if it is ours and harmless.
fn shared_owner<'a>(facts: &Facts<'a>, want: &str) -> Result<Cow<'a, Role>, Blocked> {
    let fleet = facts.fleet;
    let Some(role) = fleet.observed.roles.get(want) else {
        return Ok(Cow::Owned(Role { inherit: true, connection_limit: -1, ..Role::default() }));
    };
    let is_known = fleet.registered_owners.contains(want) || fleet.remembers_owner(want);
    if !is_known && facts.adoption.is_none() {
        return Err(taken(facts, "role", want));
    }
    if role.can_login || !role.powers.is_empty() {
        return Err(Blocked::new(
            format!("the shared owner {want:?} may log in or has more rights than an owner needs"),
            format!("ALTER ROLE {} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS", ident(want)),
        ));
    }
    Ok(Cow::Borrowed(role))
}

/// The role of this tenant, and how it gets its declared name where it has another.
fn role<'a>(
    facts: &Facts<'a>,
    whose: Whose,
    have: Option<&str>,
    want: &str,
) -> Result<(Option<&'a Role>, Option<RenameRole>), Blocked> {
    let fleet = facts.fleet;
    let roles = &fleet.observed.roles;
    let ours = have.is_some_and(|have| have == want);
    match (have.and_then(|have| roles.get(have)), roles.get(want)) {
        (_, Some(_)) if !ours => Err(taken(facts, "role", want)),
        (None, _) => Ok((None, None)),
        (found, _) if ours => Ok((found, None)),
        (found, _) => {
            let from = have.unwrap_or(want).to_owned();
            let is_remembered = fleet.is_remembered_owner(&from);
            Ok((found, Some(RenameRole { whose, from, to: want.to_owned(), is_remembered })))
        }
    }
}

/// What to type when tenants are there, and the registry does not know them.
pub const RECOVER: &str = "if that schema, or rows of it, were lost: tenantry recover   prints the SQL that registers the tenants again (docs/recovery.md)";

pub(super) fn taken(facts: &Facts<'_>, what: &str, name: &str) -> Blocked {
    let key = &facts.tenant.key;
    anothers(facts, what, name).unwrap_or_else(|| {
        let adopt = format!("if it is this tenant's, adopt it: tenantry adopt {key}");
        Blocked::new(
            format!("{what} {name:?} exists but is not managed by tenantry"),
            match what {
                "schema" => format!(
                    "{adopt}   if it is not: set another schema for {key}, or move this one out of the way: ALTER SCHEMA {} RENAME TO …",
                    ident(name)
                ),
                _ => format!(
                    "{adopt}   if it is not: set another name for {key}, or, if the role is not needed under this name: ALTER ROLE {} RENAME TO …",
                    ident(name)
                ),
            },
        )
    })
}

/// Why it is nobody's to take: another tenant's, or tenantry's from before.
pub(super) fn anothers(facts: &Facts<'_>, what: &str, name: &str) -> Option<Blocked> {
    let key = &facts.tenant.key;
    let holder = if what == "schema" { facts.fleet.schema_of.get(name) } else { facts.fleet.role_of.get(name) };
    Some(match holder {
        Some(other) if *other != key => Blocked::new(
            format!("{what} {name:?} belongs to tenant {other}"),
            if facts.fleet.desired.tenants.contains_key(*other) {
                format!("apply the change of {other} first, or set another {what} for {key}")
            } else {
                format!("{}; if they are two tenants: set another {what} for {key}", identity::keep_the_key(other, key))
            },
        ),
        Some(_) => Blocked::new(
            format!("{what} {name:?} is already used by this tenant for something else"),
            format!("set another {what} for {key}, apply, and change it back"),
        ),
        None if what == "role" && other_fleet(facts, name).is_some() => Blocked::new(
            format!(
                "role {name:?} belongs to tenants of another database in this cluster (it is a member of {})",
                other_fleet(facts, name).unwrap_or_default()
            ),
            "roles are shared by the whole cluster: set another username and owner, such as [defaults] username = \"staging_{tenant}_user\"",
        ),
        None if was_made_here(facts, what, name) => Blocked::new(
            format!("{what} {name:?} was created by tenantry, but no row in schema tenantry names it"),
            RECOVER,
        ),
        None => return None,
    })
}

/// Nobody else puts roles into the group role of this database.
fn was_made_here(facts: &Facts<'_>, what: &str, name: &str) -> bool {
    let observed = facts.fleet.observed;
    let role =
        if what == "schema" { observed.schemas.get(name).map(|schema| schema.owner.as_str()) } else { Some(name) };
    role.and_then(|role| observed.roles.get(role)).is_some_and(|role| role.is_member_of(&facts.fleet.group))
}

/// The group role of another database that this role is in.
fn other_fleet<'a>(facts: &Facts<'a>, role: &str) -> Option<&'a str> {
    let role = facts.fleet.observed.roles.get(role)?;
    let mut groups = role.member_of.iter().map(|membership| membership.role.as_str());
    groups.find(|group| group.starts_with("tenantry_") && group.ends_with("_tenants") && **group != *facts.fleet.group)
}
