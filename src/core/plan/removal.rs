//! A registered tenant that is no longer declared: in an order in which nothing is left behind.

use std::collections::BTreeSet;
use std::path::Path;

use super::change::objects::do_block;
use super::change::{deputy, rights, secret};
use super::diff::Look;
use super::holds;
use super::identity;
use super::pieces::Pieces;
use super::tenant::{Blocked, Work};
use super::{Change, Hazard, HazardKind, Kind, Note, Step, Target, TenantPlan, Verb};
use crate::core::model::{
    Access, OnRemove, Registered, State, TenantKey, check_role_name, check_schema_name, ident, literal,
};
use crate::core::words::{count, size};

/// `None` when there is nothing left to do: it was retained, and its secret is gone.
pub(super) fn plan(look: &Look<'_>, key: &TenantKey, row: &Registered) -> Option<TenantPlan> {
    let mut plan = TenantPlan::of(row.subject(key));
    let work = match row.state {
        State::Retained if row.secret.version.is_none() => return None,
        // It was committed; only the secret is left.
        State::Retained => Ok((
            secret_deletion(look, row),
            Vec::new(),
            Target::Retained { secret: row.secret.clone(), state: row.state },
        )),
        State::Removed => Ok((
            secret_deletion(look, row),
            Vec::new(),
            Target::Removed { secret: row.secret.clone(), state: row.state },
        )),
        State::Active => remove(look, key, row),
        // Half filled from an archive, or half dropped: there is nothing to archive.
        State::Restoring | State::Removing => {
            remove(look, key, &Registered { on_remove: OnRemove::Drop, protected: false, ..row.clone() })
        }
    };
    plan.notes = large_objects_that_stay(look, key, row).into_iter().collect();
    plan.take(Verb::Remove, work);
    if plan.changes.iter().any(|change| change.kind == Kind::DropSchema) {
        plan.seen = look.seen(&row.schema);
    }
    Some(plan)
}

fn remove(look: &Look<'_>, key: &TenantKey, row: &Registered) -> Result<Work, Blocked> {
    if row.protected {
        return Err(Blocked::new(
            "it is protected and no longer in tenants.toml",
            format!("put {key} back; to remove it, set protected = false, apply, and take it out then"),
        ));
    }
    check_row(key, row)?;
    secret::unclaimed(look, row)?;
    identity::unclaimed(look, key, row)?;
    let schema = identity::schema(look, key, row)?;
    if let Some(schema) = schema.filter(|schema| schema.owner != row.owner) {
        return Err(Blocked::new(
            format!("schema {:?} now belongs to {:?}, not to {:?} as registered", row.schema, schema.owner, row.owner),
            format!("if it is still this tenant's: ALTER SCHEMA {} OWNER TO {}", ident(&row.schema), ident(&row.owner)),
        ));
    }
    if let Some(schema) = schema.filter(|schema| row.on_remove != OnRemove::Retain && !schema.dependents.is_empty()) {
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
        return Err(Blocked::new(
            format!(
                "{} outside schema {:?} would be dropped with it: {}{more}",
                count(i64::try_from(schema.dependents.len()).unwrap_or(i64::MAX), "object"),
                row.schema,
                first.join(", ")
            ),
            hint,
        ));
    }
    let (secret, state) = (row.secret.clone(), row.state);
    match row.on_remove {
        OnRemove::Retain => Ok((retain(look, row), session_hazard(look, row), Target::Retained { secret, state })),
        OnRemove::Archive | OnRemove::Drop => {
            let mut hazards = session_hazard(look, row);
            let archives = row.on_remove == OnRemove::Archive;
            if let Some(schema) = schema {
                let archived = if archives { ", archived first" } else { "" };
                let tables = count(schema.tables, "table");
                let detail = format!("{tables}, {} in schema {}{archived}", size(schema.bytes), row.schema);
                hazards.insert(0, Hazard { kind: HazardKind::DeletesData, detail });
            }
            let dropped = dropped_roles(look, key, row);
            let released = holds::release(look, &dropped, &[&row.username, &row.owner])?;
            let pieces = Pieces::of(look, schema, dropped);
            hazards.extend(pieces.hazard(&row.schema, archives && schema.is_some()));
            Ok((drop_all(look, key, row, &pieces, released), hazards, Target::Removed { secret, state }))
        }
    }
}

/// Of an owner role that other tenants share: whose they are cannot be told, so they are neither archived nor dropped.
fn large_objects_that_stay(look: &Look<'_>, key: &TenantKey, row: &Registered) -> Option<Note> {
    let goes = row.state == State::Active && row.on_remove != OnRemove::Retain;
    let shared = row.access != Access::Owner && look.is_shared_owner(&row.owner, key);
    let found = look.observed.roles.get(&row.owner).filter(|_| goes && shared)?.large_objects;
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

fn session_hazard(look: &Look<'_>, row: &Registered) -> Vec<Hazard> {
    if !look.observed.roles.contains_key(&row.username) {
        return Vec::new();
    }
    vec![Hazard { kind: HazardKind::EndsSessions, detail: format!("sessions of {} are ended", row.username) }]
}

fn retain(look: &Look<'_>, row: &Registered) -> Vec<Change> {
    let mut changes: Vec<_> = deputy::drop(look.observed, row).into_iter().collect();
    if look.observed.roles.contains_key(&row.username) {
        let sql = vec![format!("ALTER ROLE {} NOLOGIN", ident(&row.username))];
        let what = format!("role {}", row.username);
        changes.push(Change::sql(Kind::AlterRole, what, sql).before("LOGIN").after("NOLOGIN"));
        end_sessions(look, row, &mut changes);
    }
    changes.extend(secret_deletion(look, row));
    changes
}

fn end_sessions(look: &Look<'_>, row: &Registered, changes: &mut Vec<Change>) {
    let admin_rights = rights::changes(look.observed, std::slice::from_ref(&row.username));
    let end = ending(row).after("ended");
    match <[Change; 2]>::try_from(admin_rights) {
        Ok([take, give]) => changes.extend([take, end, give]),
        Err(_) => changes.push(end),
    }
}

fn ending(row: &Registered) -> Change {
    let step = Step::EndSessions { role: row.username.clone() };
    Change::sql(Kind::EndSessions, format!("sessions of {}", row.username), Vec::new()).step(step)
}

/// DROP SCHEMA, DROP OWNED, DROP ROLE: DROP ROLE first fails with 2BP01 when default privileges name the role. What others
/// gave the roles goes once there is an archive: until the end nobody else can change the privileges it is taken from.
fn drop_all(look: &Look<'_>, key: &TenantKey, row: &Registered, pieces: &Pieces, released: Vec<Change>) -> Vec<Change> {
    let observed = look.observed;
    let mut changes = Vec::new();
    let owner_is_own = look.owner_of_its_own(key, row).is_some();
    let has_user = observed.roles.contains_key(&row.username);
    let has_owner = observed.roles.contains_key(&row.owner);
    let mut borrowed = Vec::new();
    if has_user {
        borrowed.push(row.username.clone());
    }
    if has_owner && row.access != Access::Owner {
        borrowed.push(row.owner.clone());
    }
    borrowed.retain(|role| observed.roles.get(role).is_none_or(|found| !found.admin_is_member));
    let mut rights = rights::changes(observed, &borrowed).into_iter();
    changes.extend(rights.next());
    if has_user {
        changes.push(ending(row));
    }
    match observed.schemas.get(&row.schema).filter(|_| row.on_remove == OnRemove::Archive) {
        Some(_) => changes.push(archive(look, key, row)),
        None => changes.extend(deputy::drop(observed, row)),
    }
    changes.extend(released);
    changes.extend(pieces.unlink());
    if let Some(schema) = observed.schemas.get(&row.schema) {
        let mut sql = vec![format!("DROP SCHEMA {} CASCADE", ident(&row.schema))];
        let before = format!("{}, {}", count(schema.tables, "table"), size(schema.bytes));
        let mut step = Step::Sql;
        if let Some(tables) = pieces.tables {
            sql.insert(0, format!("-- DROP TABLE ..., {tables} at a time, each time in a transaction of its own"));
            step = Step::DropInPieces { schema: row.schema.clone(), tables };
        }
        changes.push(Change::sql(Kind::DropSchema, format!("schema {}", row.schema), sql).before(before).step(step));
    }
    if has_user {
        changes.push(holds::drop(look, Kind::DropRole, &row.username, drop_role(&row.username)).before("LOGIN"));
    }
    if has_owner && owner_is_own {
        let mut sql = drop_role(&row.owner);
        sql.extend(look.forgetting_owner(&row.owner));
        changes.push(holds::drop(look, Kind::DropOwner, &row.owner, sql).before("NOLOGIN"));
    } else if let (Some(give), true) = (rights.next(), has_owner && row.access != Access::Owner) {
        // A role that is dropped takes its memberships with it; a shared owner stays.
        let only_owner =
            give.sql.into_iter().filter(|sql| sql.shown().starts_with(&format!("REVOKE {} ", ident(&row.owner))));
        changes.push(Change {
            sql: only_owner.collect(),
            kind: give.kind,
            what: give.what,
            before: give.before,
            after: None,
            step: Step::Sql,
        });
    }
    changes.extend(secret_deletion(look, row));
    changes
}

/// The roles that go with the tenant.
fn dropped_roles(look: &Look<'_>, key: &TenantKey, row: &Registered) -> Vec<String> {
    let roles = std::iter::once(&row.username).chain(look.owner_of_its_own(key, row));
    roles.filter(|role| look.observed.roles.contains_key(*role)).cloned().collect()
}

/// What follows happens only once the archive is complete. A deputy that is left over gives way to the one it makes.
fn archive(look: &Look<'_>, key: &TenantKey, row: &Registered) -> Change {
    let subject = row.subject(key);
    let roles: Vec<String> =
        subject.roles().into_iter().filter(|role| look.observed.roles.contains_key(role)).collect();
    let sql = vec![
        "-- LOCK TABLE ONLY ... IN EXCLUSIVE MODE, of every table in the schema".to_owned(),
        format!(
            "-- pg_dump --format=custom --schema={} as a role made for it with the rights of {}",
            ident(&row.schema),
            roles.join(", ")
        ),
    ];
    Change::sql(Kind::Archive, format!("archive of schema {}", row.schema), sql)
        .after(format!("in {}", look.desired.archive_dir.display()))
        .step(Step::Archive { subject, roles })
}

/// Archives are smaller than what they hold, as a rule, but not always.
pub(super) fn disk_hazard(look: &Look<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let free = look.observed.archive_space?;
    let archived = tenants.iter().filter(|tenant| tenant.changes.iter().any(|change| change.kind == Kind::Archive));
    let bytes = archived.map(|tenant| {
        // What a shared owner role has goes into no archive.
        let owner = (!look.is_shared_owner(&tenant.owner, &tenant.tenant)).then_some(&tenant.owner);
        let roles: BTreeSet<&String> = owner.into_iter().chain([&tenant.username]).collect();
        let roles = roles.into_iter().filter_map(|role| look.observed.roles.get(role));
        let schema = look.observed.schemas.get(&tenant.schema).map_or(0, |schema| schema.bytes);
        schema + roles.map(|role| role.large_object_bytes).sum::<i64>()
    });
    let detail = disk_short(bytes.sum(), free, &look.desired.archive_dir)?;
    Some(Hazard { kind: HazardKind::DiskShort, detail })
}

/// When archives of so many bytes may not fit where so many are free.
pub(crate) fn disk_short(bytes: i64, free: u64, dir: &Path) -> Option<String> {
    u64::try_from(bytes).is_ok_and(|bytes| bytes > free).then(|| {
        let free = size(i64::try_from(free).unwrap_or(i64::MAX));
        format!("up to {} of archives are to be written to {}, where {free} is free", size(bytes), dir.display())
    })
}

/// DROP OWNED is there for grants and default privileges. Large objects are no schema's and go with their role; for the
/// rest the guard sees to it that the role owns nothing elsewhere, such as a schema that somebody renamed by hand.
#[must_use]
pub fn drop_role(role: &str) -> Vec<String> {
    let large = do_block(&format!(
        "FOR o IN SELECT m.oid::text FROM pg_catalog.pg_largeobject_metadata m WHERE m.lomowner = {}::pg_catalog.regrole\n\
         LOOP PERFORM pg_catalog.lo_unlink(o::oid); END LOOP;",
        literal(&ident(role))
    ));
    vec![
        large,
        owns_nothing_but(role, None),
        format!("DROP OWNED BY {}", ident(role)),
        format!("DROP ROLE {}", ident(role)),
    ]
}

/// Fails, and with it the whole transaction, when the role owns anything but what lies in the schema: DROP OWNED would
/// drop it, and REASSIGN OWNED hand it over. pg_shdepend knows of databases and tablespaces too (dbid 0).
pub(super) fn owns_nothing_but(role: &str, schema: Option<&str>) -> String {
    let inside = schema.map_or(String::new(), |schema| {
        // pg_identify_object quotes names where they need it, as quote_ident does.
        let name = format!("pg_catalog.quote_ident({})", literal(schema));
        format!(
            "\nAND NOT EXISTS (SELECT FROM pg_catalog.pg_identify_object(d.classid, d.objid, 0) i WHERE d.dbid <> 0 AND (i.schema = {name} OR i.type = 'schema' AND i.name = {name}))"
        )
    });
    do_block(&format!(
        "SELECT pg_catalog.string_agg(pg_catalog.pg_describe_object(d.classid, d.objid, 0), ', ') INTO o FROM pg_catalog.pg_shdepend d\n\
         WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = {}::pg_catalog.regrole AND d.deptype = 'o' AND d.classid NOT IN ('pg_catalog.pg_default_acl'::pg_catalog.regclass, 'pg_catalog.pg_user_mapping'::pg_catalog.regclass)\n\
         AND d.dbid IN (0, (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())){inside};\n\
         IF o IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = 'the role owns more than its schema: ' || o,\n\
         HINT = 'give it to another owner first: ALTER ... OWNER TO'; END IF;",
        literal(&ident(role))
    ))
}

fn secret_deletion(look: &Look<'_>, row: &Registered) -> Vec<Change> {
    let mut changes = secret::former(look, row);
    let is_here = row.secret.store == look.desired.secrets.store.as_str();
    // Somebody else's is left alone; an absent one needs nothing.
    if let Some(version) = look.own_secret(&row.secret.path).filter(|_| is_here) {
        changes.push(secret::deletion(&row.secret.path, Some(version.clone())));
    }
    changes
}
