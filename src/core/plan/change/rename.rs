//! Finding a tenant's schema and roles, under the name they have or a name they are to lose; renames in place.

use crate::core::model::{Access, History, Registered, Role, Schema, ident};
use crate::core::plan::tenant::{Blocked, Current, Draft};
use crate::core::plan::{Change, HazardKind, Kind, identity};

/// Fills in `current`, and plans the renames that bring what is there to its declared names.
///
/// # Errors
/// When a declared name is taken by something that is not this tenant's.
pub(in crate::core::plan) fn locate(draft: &mut Draft<'_>) -> Result<(), Blocked> {
    let tenant = draft.tenant;
    let admin = &draft.look.observed.server.admin.name;
    for role in [&tenant.username, tenant.owner()] {
        if role == admin {
            return Err(Blocked::new(
                format!("{role:?} is the role tenantry itself is connected as"),
                "set another username or owner for the tenant",
            ));
        }
        if *role == draft.look.group || *role == draft.look.owners_group {
            return Err(Blocked::new(
                format!("{role:?} is a group role of tenantry's own"),
                "set another username or owner",
            ));
        }
    }
    let renamed_schema = schema(draft)?;
    let renamed_user = username(draft)?;
    let renamed_owner = owner(draft)?;
    let new_name = |name: &str| {
        [&renamed_user, &renamed_owner].into_iter().flatten().find(|(old, _)| old == name).map(|(_, new)| new.clone())
    };
    if let Some(schema) = &mut draft.current.schema {
        apply_names(schema, &new_name);
    }
    if let Some(former) = &draft.current.former_owner {
        draft.current.former_owner = new_name(former).or_else(|| Some(former.clone())).filter(|f| f != tenant.owner());
    }
    if renamed_schema || renamed_user.is_some() {
        draft.hazard(
            HazardKind::ChangesCredentials,
            "clients must read the secret again: the user name or the schema changes",
        );
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

fn schema(draft: &mut Draft<'_>) -> Result<bool, Blocked> {
    let look = draft.look;
    let want = &draft.tenant.schema;
    let have = draft.registered.map_or(want, |row| &row.schema);
    let found = match draft.registered {
        Some(row) => identity::schema(look, &draft.tenant.key, row)?,
        None => None,
    };
    match (found, look.observed.schemas.get(want)) {
        (_, Some(_)) if draft.registered.is_none() || have != want => Err(taken(draft, "schema", want)),
        (Some(found), _) => {
            has_a_known_owner(draft, have, found)?;
            draft.current = Current { schema: Some(found.clone()), ..Current::default() };
            if have == want {
                return Ok(false);
            }
            draft.changes.push(
                Change::sql(
                    Kind::RenameSchema,
                    format!("schema {have}"),
                    vec![format!("ALTER SCHEMA {} RENAME TO {}", ident(have), ident(want))],
                )
                .before(have)
                .after(want),
            );
            Ok(true)
        }
        (None, _) => Ok(false),
    }
}

/// Without its OID, as after a restore into another cluster, a schema is distinguished from another by its owner; with it, an owner
/// that was changed by hand is changed back.
fn has_a_known_owner(draft: &Draft<'_>, name: &str, found: &Schema) -> Result<(), Blocked> {
    let Some(row) = draft.registered else { return Ok(()) };
    let known_owner = found.owner == row.owner || found.owner == draft.tenant.owner();
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

type Renamed = Option<(String, String)>;

fn username(draft: &mut Draft<'_>) -> Result<Renamed, Blocked> {
    let want = &draft.tenant.username;
    let have = draft.registered.map_or(want, |row| &row.username);
    let (role, renamed) = role(draft, Kind::RenameRole, draft.registered.map(|_| have.as_str()), want)?;
    draft.current.role = role;
    Ok(renamed)
}

fn owner(draft: &mut Draft<'_>) -> Result<Renamed, Blocked> {
    let look = draft.look;
    let tenant = draft.tenant;
    let former = draft.registered.map(|row: &Registered| row.owner.clone());
    draft.current.former_owner = former.clone().filter(|former| former != tenant.owner());
    if tenant.access == Access::Owner {
        return Ok(None);
    }
    let want = &tenant.owner_role;
    let registered_owner = draft.registered.filter(|row| row.access != Access::Owner).map(|row| row.owner.as_str());
    let shared = look.is_shared_owner(want, &tenant.key);
    if shared {
        // A shared owner is made before the tenants; it is used as it is, if it is ours and harmless.
        if let Some(role) = look.observed.roles.get(want) {
            if !look.registered_owners.contains(want.as_str()) && !look.remembers_owner(want) {
                return Err(taken(draft, "role", want));
            }
            if role.can_login || !role.powers.is_empty() {
                return Err(Blocked::new(
                    format!("the shared owner {want:?} may log in or has more rights than an owner needs"),
                    format!(
                        "ALTER ROLE {} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
                        ident(want)
                    ),
                ));
            }
            draft.current.owner = Some(role.clone());
        } else {
            draft.current.owner = Some(Role { inherit: true, connection_limit: -1, ..Role::default() });
        }
        return Ok(None);
    }
    // A role that owns for others too cannot be renamed for one of them: its objects change hands instead.
    let have = registered_owner.filter(|have| !look.is_shared_owner(have, &tenant.key));
    let (role, renamed) = role(draft, Kind::RenameOwner, have, want)?;
    draft.current.owner = role;
    Ok(renamed)
}

/// The role of this tenant, under its declared name; planned to be renamed where it has another.
fn role(draft: &mut Draft<'_>, kind: Kind, have: Option<&str>, want: &str) -> Result<(Option<Role>, Renamed), Blocked> {
    let roles = &draft.look.observed.roles;
    let ours = have.is_some_and(|have| have == want);
    match (have.and_then(|have| roles.get(have)), roles.get(want)) {
        (_, Some(_)) if !ours => Err(taken(draft, "role", want)),
        (Some(found), _) => {
            let found = found.clone();
            let have = have.unwrap_or(want);
            if ours {
                return Ok((Some(found), None));
            }
            let mut sql = vec![format!("ALTER ROLE {} RENAME TO {}", ident(have), ident(want))];
            sql.extend(draft.look.forgetting_owner(have));
            draft.changes.push(Change::sql(kind, format!("role {have}"), sql).before(have).after(want));
            Ok((Some(found), Some((have.to_owned(), want.to_owned()))))
        }
        (None, _) => Ok((None, None)),
    }
}

/// What to type when tenants are there, and the registry does not know them.
pub const RECOVER: &str = "if that schema, or rows of it, were lost: tenantry recover   prints the SQL that registers the tenants again (docs/recovery.md)";

fn taken(draft: &Draft<'_>, what: &str, name: &str) -> Blocked {
    let key = &draft.tenant.key;
    let holder = if what == "schema" { draft.look.schema_of.get(name) } else { draft.look.role_of.get(name) };
    match holder {
        Some(other) if *other != key => Blocked::new(
            format!("{what} {name:?} belongs to tenant {other}"),
            if draft.look.desired.tenants.contains_key(*other) {
                format!("apply the change of {other} first, or set another {what} for {key}")
            } else {
                format!("{}; if they are two tenants: set another {what} for {key}", identity::keep_the_key(other, key))
            },
        ),
        Some(_) => Blocked::new(
            format!("{what} {name:?} is already used by this tenant for something else"),
            format!("set another {what} for {key}, apply, and change it back"),
        ),
        None if what == "role" && other_fleet(draft, name).is_some() => Blocked::new(
            format!(
                "role {name:?} belongs to tenants of another database in this cluster (it is a member of {})",
                other_fleet(draft, name).unwrap_or_default()
            ),
            "roles are shared by the whole cluster: set another username and owner, such as [defaults] username = \"staging_{tenant}_user\"",
        ),
        None if was_made_here(draft, what, name) => Blocked::new(
            format!("{what} {name:?} was created by tenantry, but no row in schema tenantry names it"),
            RECOVER,
        ),
        None => Blocked::new(
            format!("{what} {name:?} exists but is not managed by tenantry"),
            match what {
                "schema" => format!(
                    "it cannot be adopted yet: set another schema for {key}; or move this one out of the way: ALTER SCHEMA {} RENAME TO …, \
                     apply, and copy its rows into the tables that the migrations create",
                    ident(name)
                ),
                _ => format!(
                    "it cannot be adopted yet: set another name for {key}; or, if the role is not needed under this name: ALTER ROLE {} RENAME TO …",
                    ident(name)
                ),
            },
        ),
    }
}

/// Nobody else puts roles into the group role of this database.
fn was_made_here(draft: &Draft<'_>, what: &str, name: &str) -> bool {
    let observed = draft.look.observed;
    let role =
        if what == "schema" { observed.schemas.get(name).map(|schema| schema.owner.as_str()) } else { Some(name) };
    role.and_then(|role| observed.roles.get(role)).is_some_and(|role| role.is_member_of(&draft.look.group))
}

/// The group role of another database that this role is in.
fn other_fleet<'a>(draft: &Draft<'a>, role: &str) -> Option<&'a str> {
    let role = draft.look.observed.roles.get(role)?;
    let mut groups = role.member_of.iter().map(|membership| membership.role.as_str());
    groups.find(|group| group.starts_with("tenantry_") && group.ends_with("_tenants") && **group != *draft.look.group)
}
