//! One look at everything.

use std::collections::BTreeMap;

use postgres::{Client, IsolationLevel, Transaction};

use super::holds::holds;
use super::names::Names;
use super::{access, catalog, database, history, made, secrets};
use crate::core::model::{Desired, Observed, Scope, Subject};
use crate::core::plan;
use crate::engine::database::{Ask, Target};
use crate::engine::error::{Context, Error};
use crate::engine::registry;
use crate::engine::secrets::SecretStore;

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
    access::read(store, desired, &mut observed)?;
    observed.looked_at = Some(jiff::Timestamp::now());
    Ok(observed)
}

/// The registry, and nothing of what it names.
///
/// # Errors
/// What PostgreSQL answered.
pub fn registered(client: &mut Client, target: &Target, desired: &Desired) -> Result<Observed, Error> {
    let mut transaction = client.build_transaction().read_only(true).start().doing("starting to read the registry")?;
    let observed = begun(&mut transaction, target, desired)?;
    transaction.commit().doing("reading the registry")?;
    Ok(observed)
}

/// The server, what tenants share, and the registry.
fn begun(transaction: &mut Transaction<'_>, target: &Target, desired: &Desired) -> Result<Observed, Error> {
    // Sizes wait for whoever locked a table: a tenant may, forever.
    transaction.batch_execute(&desired.limits_waits()).doing("setting lock_timeout")?;
    let mut observed = database::read(transaction, target, desired)?;
    database::forbidden(transaction, desired, &mut observed)?;
    if observed.registry.is_some() {
        // A policy is code; where one would run, the query fails instead (manual, row_security).
        transaction.batch_execute("SET LOCAL row_security = off").doing("setting row_security")?;
        let mut schema = registry::schema(transaction, &observed.server.admin.name)?;
        schema.default_acls = catalog::default_acls_in(transaction, "tenantry")?;
        let rows = registry::read(transaction, &desired.scope);
        observed.registry = Some(rows.map_err(|error| registry::unreadable(error, &schema))?);
        observed.registry_schema = Some(schema);
    }
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
    let mut observed = begun(&mut transaction, target, desired)?;
    let names = Names::of(desired, &observed);
    let group = plan::group_role(&observed.database.name);
    let admin = observed.server.admin.name.clone();
    let owners = plan::owners_role(&observed.database.name);
    let asked = [names.roles.as_slice(), &[group.clone(), owners.clone()]].concat();
    let sees_passwords = observed.server.admin.superuser && observed.server.reader.is_none();
    // Every tenant is a member of these; of some that are named nobody else is looked at.
    let crowds = if desired.scope == Scope::Fleet { Vec::new() } else { vec![group.clone(), owners.clone()] };
    observed.roles = catalog::roles_without_members(&mut transaction, &asked, &crowds, &admin, sees_passwords)?;
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

/// About how many rows each of these schemas holds, where PostgreSQL has counted any.
///
/// # Errors
/// What PostgreSQL answered.
pub fn row_estimates(client: &mut Client, schemas: &[&str]) -> Result<BTreeMap<String, i64>, Error> {
    let rows = client.ask(include_str!("sql/row_estimates.sql"), &[&schemas]).doing("estimating numbers of rows")?;
    Ok(rows.iter().filter_map(|row| Some((row.get("name"), row.get::<_, Option<i64>>("estimate")?))).collect())
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
