//! A registered tenant that is no longer declared: in an order in which nothing is left behind.

use std::collections::BTreeSet;
use std::path::Path;

use super::action::{
    AlterRole, Attribute, BorrowRights, Change, DropSchema, EndSessions, HandOver, MakeArchive, ReturnRights,
    RevokeGifts, Rights, Whose,
};
use super::batches::Batches;
use super::change::{deputy, secret, vault_access};
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::phases::{AfterCommit, Batch, Phases};
use super::tenant_plan::{Blocked, EndState, Note, TenantPlan, Verb, Work};
use super::{holds, identity};
use crate::core::model::{
    Access, OnRemove, Registered, Schema, State, TenantKey, check_role_name, check_schema_name, ident,
};
use crate::core::words::{count, size};

/// `None` when there is nothing left to do: it was retained, and its secret is gone.
pub(super) fn plan(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Option<TenantPlan> {
    let mut plan = TenantPlan::of(row.subject(key));
    let only_secrets = || Phases { after: deletions(fleet, key, row), ..Phases::default() };
    let (secret, state) = (row.secret.clone(), row.state);
    let work = match row.state {
        State::Retained if row.secret.version.is_none() && vault_access::removal(fleet, key, row).is_empty() => {
            return None;
        }
        // It was committed; only the secret is left.
        State::Retained => {
            Ok(Work { phases: only_secrets(), hazards: Vec::new(), target: EndState::Retained { secret, state } })
        }
        State::Removed => {
            Ok(Work { phases: only_secrets(), hazards: Vec::new(), target: EndState::Removed { secret, state } })
        }
        State::Active => remove(fleet, key, row),
        // Half filled from an archive, or half dropped: there is nothing to archive.
        State::Restoring | State::Removing => {
            remove(fleet, key, &Registered { on_remove: OnRemove::Drop, protected: false, ..row.clone() })
        }
    };
    plan.notes = large_objects_that_stay(fleet, key, row).into_iter().chain(secret_that_stays(fleet, row)).collect();
    plan.take(Verb::Remove, work);
    if plan.phases.drops_schema() {
        plan.seen = fleet.seen(&row.schema);
    }
    Some(plan)
}

fn remove(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Result<Work, Blocked> {
    if row.protected {
        return Err(Blocked::new(
            "it is protected and no longer in tenants.toml",
            format!("put {key} back; to remove it, set protected = false, apply, and take it out then"),
        ));
    }
    check_row(key, row)?;
    secret::unclaimed(fleet, row)?;
    identity::unclaimed(fleet, key, row)?;
    let schema = identity::schema(fleet, key, row)?;
    if let Some(schema) = schema.filter(|schema| schema.owner != row.owner) {
        return Err(Blocked::new(
            format!("schema {:?} now belongs to {:?}, not to {:?} as registered", row.schema, schema.owner, row.owner),
            format!("if it is still this tenant's: ALTER SCHEMA {} OWNER TO {}", ident(&row.schema), ident(&row.owner)),
        ));
    }
    if row.on_remove != OnRemove::Retain {
        nothing_depends_on(schema, row)?;
    }
    let (secret, state) = (row.secret.clone(), row.state);
    let mut hazards = session_hazard(fleet, row);
    if row.on_remove == OnRemove::Retain {
        return Ok(Work { phases: retain(fleet, key, row), hazards, target: EndState::Retained { secret, state } });
    }
    let archives = row.on_remove == OnRemove::Archive;
    if let Some(schema) = schema {
        let archived = if archives { ", archived first" } else { "" };
        let tables = count(schema.tables, "table");
        let detail = format!("{tables}, {} in schema {}{archived}", size(schema.bytes), row.schema);
        hazards.insert(0, Hazard { kind: HazardKind::DeletesData, detail });
    }
    let dropped = dropped_roles(fleet, key, row);
    let users = row.login_users();
    let lent: Vec<&str> = [&row.username, &row.owner].into_iter().chain(&users).map(String::as_str).collect();
    let released = holds::release(fleet, &dropped, &lent)?;
    // The large objects of the two users are in no archive.
    let own: Vec<String> = dropped.into_iter().filter(|role| !users.contains(role)).collect();
    let batches = Batches::of(fleet, schema, own);
    hazards.extend(batches.hazard(&row.schema, archives && schema.is_some()));
    let phases = drop_all(fleet, key, row, &batches, released);
    Ok(Work { phases, hazards, target: EndState::Removed { secret, state } })
}

fn nothing_depends_on(schema: Option<&Schema>, row: &Registered) -> Result<(), Blocked> {
    let Some(schema) = schema.filter(|schema| !schema.dependents.is_empty()) else { return Ok(()) };
    let first: Vec<&str> = schema.dependents.iter().take(3).map(|dependent| dependent.what.as_str()).collect();
    let more = if schema.dependents.len() > first.len() { ", …" } else { "" };
    let remedy = schema.dependents.iter().find_map(|dependent| dependent.remedy.as_deref());
    let hint = match remedy {
        Some(remedy) => {
            format!(
                "keep it: {remedy}   or have it dropped with the tenant: ALTER TABLE … SET SCHEMA {}",
                ident(&row.schema)
            )
        }
        None => "drop or change what depends on the schema first".to_owned(),
    };
    Err(Blocked::new(
        format!(
            "{} outside schema {:?} would be dropped with it: {}{more}",
            count(schema.dependents.len(), "object"),
            row.schema,
            first.join(", ")
        ),
        hint,
    ))
}

/// Of an owner role that other tenants share: whose they are cannot be told, so they are neither archived nor dropped.
fn large_objects_that_stay(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Option<Note> {
    let goes = row.state == State::Active && row.on_remove != OnRemove::Retain;
    let shared = row.access != Access::Owner && fleet.is_shared_owner(&row.owner, key);
    let found = fleet.observed.roles.get(&row.owner).filter(|_| goes && shared)?.large_objects;
    (found > 0).then(|| Note {
        what: format!("{} of role {}", count(found, "large object"), row.owner),
        detail: "other tenants share that role, so there is no telling whose they are".into(),
    })
}

/// The registry is a table, and tables are edited: no row may point to what is never a tenant's.
fn check_row(key: &TenantKey, row: &Registered) -> Result<(), Blocked> {
    let names = [check_schema_name(&row.schema), check_role_name(&row.username), check_role_name(&row.owner)];
    match names.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(error) => Err(Blocked::new(
            format!("the registry's row for {key} contains an invalid name: it {error}"),
            format!("look at: SELECT * FROM tenantry.tenants WHERE tenant = '{key}'"),
        )),
    }
}

fn session_hazard(fleet: &Fleet<'_>, row: &Registered) -> Vec<Hazard> {
    let users = users_there(fleet, row);
    if users.is_empty() {
        return Vec::new();
    }
    vec![Hazard { kind: HazardKind::EndsSessions, detail: format!("sessions of {} are ended", users.join(", ")) }]
}

/// Its username, and the two users that log in for it if they do: those that are there.
fn users_there(fleet: &Fleet<'_>, row: &Registered) -> Vec<String> {
    let all = std::iter::once(row.username.clone()).chain(row.login_users());
    all.filter(|user| fleet.observed.roles.contains_key(user)).collect()
}

fn lock_out(row: &Registered, roles: Vec<String>, is_dropped: bool) -> Option<EndSessions> {
    let users = row.login_users();
    // In force is whom the secret names, as it was written last.
    let in_force = users.iter().find(|user| **user == row.secret.fields.username).or(users.first());
    let login = in_force.unwrap_or(&row.username).clone();
    (!roles.is_empty()).then(|| EndSessions { roles, username: row.username.clone(), login, is_dropped })
}

fn retain(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Phases {
    let mut phases = Phases { after: deletions(fleet, key, row), ..Phases::default() };
    phases.transaction.extend(deputy::drop(fleet.observed, row).map(Change::from));
    let users = users_there(fleet, row);
    for role in users.iter().cloned() {
        let whose = if role == row.username { Whose::Username } else { Whose::Login };
        phases.transaction.push(AlterRole { whose, role, attributes: vec![Attribute::Without("LOGIN")] }.into());
    }
    if let Some(rights) = Rights::of(fleet.observed, users.clone()) {
        phases.rights = Some(BorrowRights(rights.clone()));
        phases.give_back = Some(ReturnRights { rights, dropped: Vec::new() });
    }
    phases.lock_out = lock_out(row, users, false);
    phases
}

/// DROP SCHEMA, DROP OWNED, DROP ROLE: DROP ROLE first fails with 2BP01 when default privileges name the role. What others
/// gave the roles goes once there is an archive: until the end nobody else can change the privileges it is taken from.
fn drop_all(
    fleet: &Fleet<'_>,
    key: &TenantKey,
    row: &Registered,
    batches: &Batches,
    released: Vec<RevokeGifts>,
) -> Phases {
    let observed = fleet.observed;
    let owner_is_own = fleet.owner_of_its_own(key, row).is_some();
    let has_user = observed.roles.contains_key(&row.username);
    let has_owner = observed.roles.contains_key(&row.owner) && row.access != Access::Owner;
    let schema = observed.schemas.get(&row.schema);
    let users = users_there(fleet, row);
    let roles = users.iter().chain(has_owner.then_some(&row.owner)).cloned();
    let rights = Rights::lacking(observed, &roles.collect::<Vec<_>>());
    let mut phases = Phases {
        rights: rights.clone().map(BorrowRights),
        lock_out: lock_out(row, users.clone(), true),
        archive: schema.filter(|_| row.on_remove == OnRemove::Archive).map(|_| archive(fleet, key, row)),
        after: deletions(fleet, key, row),
        ..Phases::default()
    };
    let mut changes: Vec<Change> = Vec::new();
    if phases.archive.is_none() {
        changes.extend(deputy::drop(observed, row).map(Change::from));
    }
    changes.extend(released.into_iter().map(Change::from));
    if let Some(unlink) = batches.unlink() {
        phases.batches.push(Batch::LargeObjects(unlink.clone()));
        changes.push(unlink.into());
    }
    if let Some(found) = schema {
        let schema = row.schema.clone();
        if let Some(at_once) = batches.tables {
            phases.batches.push(Batch::Tables { schema: schema.clone(), at_once });
        }
        changes.push(DropSchema { schema, tables: found.tables, bytes: found.bytes, at_once: batches.tables }.into());
    }
    for user in users.iter().filter(|user| **user != row.username) {
        // What it owns by SET ROLE NONE is not unlinked with it.
        let hand_over = has_user.then(|| HandOver { to: row.username.clone(), schema: row.schema.clone() });
        changes.push(holds::drop(fleet, Whose::Login, user, hand_over).into());
    }
    if has_user {
        changes.push(holds::drop(fleet, Whose::Username, &row.username, None).into());
    }
    if has_owner && owner_is_own {
        changes.push(holds::drop(fleet, Whose::Owner, &row.owner, None).into());
    } else if has_owner {
        // A shared owner stays.
        let dropped = users;
        phases.give_back = rights.map(|rights| ReturnRights { rights, dropped });
    }
    phases.transaction = changes;
    phases
}

/// The roles that go with the tenant.
fn dropped_roles(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Vec<String> {
    let owner = fleet.owner_of_its_own(key, row).filter(|role| fleet.observed.roles.contains_key(*role));
    users_there(fleet, row).into_iter().chain(owner.cloned()).collect()
}

/// A deputy that is left over gives way to the one that this makes.
fn archive(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> MakeArchive {
    let subject = row.subject(key);
    let roles: Vec<String> =
        subject.roles().into_iter().filter(|role| fleet.observed.roles.contains_key(role)).collect();
    MakeArchive { subject, roles, dir: fleet.desired.archive_dir.clone() }
}

/// Archives are smaller than what they hold, as a rule, but not always.
pub(super) fn disk_hazard(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let free = fleet.observed.archive_space?;
    let archived = tenants.iter().filter(|tenant| tenant.phases.archive.is_some());
    let bytes = archived.map(|tenant| {
        // What a shared owner role has goes into no archive.
        let owner = (!fleet.is_shared_owner(&tenant.owner, &tenant.tenant)).then_some(&tenant.owner);
        let roles: BTreeSet<&String> = owner.into_iter().chain([&tenant.username]).collect();
        let roles = roles.into_iter().filter_map(|role| fleet.observed.roles.get(role));
        let schema = fleet.observed.schemas.get(&tenant.schema).map_or(0, |schema| schema.bytes);
        schema + roles.map(|role| role.large_object_bytes).sum::<i64>()
    });
    let detail = disk_short(bytes.sum(), free, &fleet.desired.archive_dir)?;
    Some(Hazard { kind: HazardKind::DiskShort, detail })
}

/// When archives of so many bytes may not fit where so many are free.
pub(crate) fn disk_short(bytes: i64, free: u64, dir: &Path) -> Option<String> {
    u64::try_from(bytes).is_ok_and(|bytes| bytes > free).then(|| {
        let free = size(i64::try_from(free).unwrap_or(i64::MAX));
        format!("up to {} of archives are to be written to {}, where {free} is free", size(bytes), dir.display())
    })
}

/// Where nobody looks any more nothing can be deleted, and after the removal nothing says that it is there.
fn secret_that_stays(fleet: &Fleet<'_>, row: &Registered) -> Option<Note> {
    let (policy, secret) = (&fleet.desired.secrets, &row.secret);
    secret.version.as_ref()?;
    let elsewhere = secret.place.as_ref().filter(|place| **place != policy.place());
    if secret.store == policy.store.as_str() && elsewhere.is_none() {
        return None;
    }
    let place = secret.place.as_ref().map(|place| format!(", in {place}")).unwrap_or_default();
    Some(Note {
        what: format!("secret {}", secret.path),
        detail: format!(
            "stays in the store {:?}{place}: [secrets] leads elsewhere now; set that back before this is applied, or delete it there",
            secret.store
        ),
    })
}

/// Nobody reads the secret any more, and then it goes.
fn deletions(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Vec<AfterCommit> {
    let mut deletions = vault_access::removal(fleet, key, row);
    deletions.extend(secret::former(fleet, row));
    // Somebody else's is left alone; an absent one needs nothing.
    if row.secret.store == fleet.desired.secrets.store.as_str() {
        deletions.extend(secret::deletion(fleet, &row.secret.path));
    }
    deletions
}
