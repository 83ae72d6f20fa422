//! PostgreSQL, the registry and the secret store → [`Observed`].
//!
//! Reading is set-based: a fixed number of queries whatever the number of tenants. Only histories are read schema by
//! schema, in chunks that are each a short transaction of their own.

mod catalog;
mod database;
mod history;
mod holds;
mod locks;
mod made;
mod registry;
mod secrets;
pub(crate) mod shape;

pub(crate) use catalog::{LONG_SETTING, dependents_of};
pub(crate) use history::history_of;
pub(crate) use holds::holds;
pub use locks::many_locks;
pub(crate) use made::made;

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, IsolationLevel, Transaction};

use crate::core::model::{Access, Desired, Observed, State, Subject, TenantKey};
use crate::core::plan;
use crate::engine::database::{Ask, HARDLY_WAIT, Target, giving_way};
use crate::engine::error::{Doing, Error};
use crate::engine::secrets::SecretStore;

/// Looking waits for no tenant: one that holds a lock costs this long, and is told apart from the others.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Which schemas to measure on disk; a size is a look at files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// Those whose removal is planned.
    Removed,
    All,
}

/// One look at everything. Changes nothing: every transaction is READ ONLY. `target` is the one server that `client` is
/// connected to; see [`Target::at`].
///
/// # Errors
/// What PostgreSQL or the store answered.
pub fn observe(
    client: &mut Client,
    target: &Target,
    store: &dyn SecretStore,
    desired: &Desired,
    sizes: Sizes,
) -> Result<Observed, Error> {
    let mut observed = catalogs(client, target, desired, sizes)?;
    history::read(client, desired, &mut observed)?;
    made::taken(client, desired, &mut observed)?;
    secrets::read(store, desired, &mut observed)?;
    Ok(observed)
}

fn catalogs(client: &mut Client, target: &Target, desired: &Desired, sizes: Sizes) -> Result<Observed, Error> {
    let mut transaction = client
        .build_transaction()
        .read_only(true)
        // One snapshot for all queries, so that no tenant is half of one moment and half of the next.
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .doing("starting to read the catalogs")?;
    // Sizes wait for whoever locked a table: a tenant may, forever.
    transaction.batch_execute(&desired.limits_waits()).doing("setting lock_timeout")?;
    let mut observed = database::read(&mut transaction, target, desired)?;
    database::forbidden(&mut transaction, desired, &mut observed)?;
    if observed.registry.is_some() {
        // A policy is code; where one would run, the query fails instead (manual, row_security).
        transaction.batch_execute("SET LOCAL row_security = off").doing("setting row_security")?;
        let schema = self::registry::read(&mut transaction, &observed.server.admin.name)?;
        let registry = crate::engine::registry::read(&mut transaction);
        observed.registry = Some(registry.map_err(|error| self::registry::unreadable(error, &schema))?);
        observed.registry_schema = Some(schema);
    }
    let names = Names::of(desired, &observed);
    let group = plan::group_role(&observed.database.name);
    let admin = observed.server.admin.name.clone();
    let owners = plan::owners_role(&observed.database.name);
    let asked = [names.roles.as_slice(), &[group.clone(), owners.clone()]].concat();
    let sees_passwords = observed.server.admin.superuser && observed.server.reader.is_none();
    observed.roles = catalog::roles(&mut transaction, &asked, &admin, sees_passwords)?;
    let histories = history::names(desired, &observed);
    observed.schemas = catalog::schemas(&mut transaction, &names.schemas, &histories)?;
    observed.schema_names = catalog::schema_names(&mut transaction, &names.schema_oids)?;
    catalog::default_acls(&mut transaction, &mut observed.roles, &mut observed.schemas)?;
    catalog::outside(&mut transaction, &mut observed.roles, &names.planned, &admin)?;
    catalog::large_tables(&mut transaction, &names.schemas, &mut observed.schemas)?;
    if !names.removed.is_empty() {
        catalog::dependents(&mut transaction, &names.removed, &mut observed.schemas)?;
        catalog::large_objects(&mut transaction, &names.removed_roles, &mut observed.roles)?;
    }
    if !names.dropped.is_empty() {
        for (role, found) in holds(&mut transaction, &names.dropped, &admin)? {
            if let Some(role) = observed.roles.get_mut(&role) {
                role.holds = found;
            }
        }
    }
    if let Some(role) = observed.roles.remove(&group) {
        observed.database.group = Some(database::group(&mut transaction, &group, role)?);
    }
    if let Some(role) = observed.roles.remove(&owners) {
        observed.database.owners_group = Some(database::group(&mut transaction, &owners, role)?);
    }
    transaction.commit().doing("reading the catalogs")?;
    let sized = if sizes == Sizes::All { &names.schemas } else { &names.removed };
    let sized: Vec<&str> = sized.iter().map(String::as_str).collect();
    catalog::sizes(client, &sized, &mut observed.schemas)?;
    Ok(observed)
}

/// A short transaction of its own, that changes nothing, waits for no tenant for long, and holds nothing while it waits.
pub(crate) fn apart<T>(
    client: &mut Client,
    desired: &Desired,
    doing: &str,
    mut look: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_in_the_way = |found: &Result<T, Error>| matches!(found, Err(Error::Database { source, .. }) if source.sqlstate() == Some("55P03"));
    giving_way(desired.lock_timeout, is_in_the_way, || {
        let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
        transaction.batch_execute(HARDLY_WAIT).doing(doing)?;
        let found = look(&mut transaction)?;
        transaction.commit().doing(doing)?;
        Ok(found)
    })
}

/// Measures one tenant: what its schema and the large objects of its roles take, in bytes.
///
/// # Errors
/// What PostgreSQL answered.
pub fn measure(client: &mut Client, observed: &mut Observed, subject: &Subject) -> Result<i64, Error> {
    let doing = "measuring the tenant";
    catalog::sizes(client, &[subject.schema.as_str()], &mut observed.schemas)?;
    let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
    let roles = subject.roles();
    catalog::large_objects(&mut transaction, &roles, &mut observed.roles)?;
    transaction.commit().doing(doing)?;
    let objects = roles.iter().filter_map(|role| observed.roles.get(role)).map(|role| role.large_object_bytes);
    Ok(observed.schemas.get(&subject.schema).map_or(0, |schema| schema.bytes) + objects.sum::<i64>())
}

/// Every name that is declared or registered.
struct Names {
    roles: Vec<String>,
    schemas: Vec<String>,
    schema_oids: Vec<u32>,
    /// Those of them whose privileges are compared: a retained tenant's are not.
    planned: Vec<String>,
    removed: Vec<String>,
    removed_roles: Vec<String>,
    /// Roles that are dropped, each with the schema it has to do with: those of the removed tenants, and owners that tenants leave.
    dropped: Vec<(String, String)>,
}

impl Names {
    fn of(desired: &Desired, observed: &Observed) -> Self {
        let mut roles = BTreeSet::new();
        let mut schemas = BTreeSet::new();
        let mut schema_oids = Vec::new();
        let mut planned = BTreeSet::new();
        let (mut removed, mut removed_roles) = (Vec::new(), Vec::new());
        let registry = observed.registry.iter();
        roles.extend(registry.flat_map(|registry| registry.former_owners.iter().cloned()));
        for tenant in desired.tenants.values() {
            roles.extend([tenant.username.clone(), tenant.owner_role.clone()]);
            schemas.insert(tenant.schema.clone());
            planned.insert(tenant.schema.clone());
        }
        let registered = observed.registry.iter().flat_map(|registry| &registry.tenants);
        for (key, row) in registered.filter(|(_, row)| row.state != State::Removed) {
            roles.extend([row.username.clone(), row.owner.clone()]);
            roles.extend(row.deputy.clone());
            schemas.insert(row.schema.clone());
            schema_oids.extend(row.schema_oid);
            if row.state == State::Active {
                planned.insert(row.schema.clone());
            }
            if !desired.tenants.contains_key::<TenantKey>(key) {
                removed.push(row.schema.clone());
                removed_roles.extend([row.username.clone(), row.owner.clone()]);
            }
        }
        Self {
            roles: roles.into_iter().collect(),
            schemas: schemas.into_iter().collect(),
            schema_oids,
            planned: planned.into_iter().collect(),
            removed,
            removed_roles,
            dropped: dropped(desired, observed),
        }
    }
}

/// Those that tenants share are no single tenant's to drop.
fn dropped(desired: &Desired, observed: &Observed) -> Vec<(String, String)> {
    let registered = || observed.registry.iter().flat_map(|registry| &registry.tenants);
    let mut owners: BTreeMap<&str, BTreeSet<&TenantKey>> = BTreeMap::new();
    for (key, row) in registered().filter(|(_, row)| row.state != State::Removed && row.access != Access::Owner) {
        owners.entry(&row.owner).or_default().insert(key);
    }
    for tenant in desired.tenants.values().filter(|tenant| tenant.access != Access::Owner) {
        owners.entry(&tenant.owner_role).or_default().insert(&tenant.key);
    }
    let mut dropped = BTreeMap::new();
    for (key, row) in registered().filter(|(_, row)| !matches!(row.state, State::Removed | State::Retained)) {
        let is_own = owners.get(row.owner.as_str()).is_some_and(|tenants| tenants.len() == 1);
        let tenant = desired.tenants.get(key);
        if tenant.is_none() {
            dropped.insert(&row.username, &row.schema);
        }
        if is_own && tenant.is_none_or(|tenant| tenant.owner() != row.owner) {
            dropped.insert(&row.owner, &row.schema);
        }
    }
    dropped.into_iter().map(|(role, schema)| (role.clone(), schema.clone())).collect()
}

/// How many sessions each of these roles has right now; those without any are left out.
///
/// # Errors
/// What PostgreSQL answered.
pub fn connections(client: &mut Client, roles: &[String]) -> Result<BTreeMap<String, i64>, Error> {
    let doing = "counting connections";
    let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
    let rows = transaction.ask(include_str!("sql/connections.sql"), &[&roles]).doing(doing)?;
    transaction.commit().doing(doing)?;
    Ok(rows.iter().map(|row| (row.get("role"), row.get("connections"))).collect())
}
