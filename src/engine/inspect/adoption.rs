//! What is there of tenants that the registry does not know, for those that are to be adopted.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use super::apart::apart;
use super::{catalog, history};
use crate::core::migrations::Version;
use crate::core::model::{
    Access, AdoptedPassword, Adoption, Desired, Grantee, Observed, Registered, RegisteredSecret, Rotation, State,
    Tenant, TenantKey,
};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// Looks closer at these tenants, whose schemas and roles nobody looked into, and notes each as if the registry knew it.
///
/// # Errors
/// What PostgreSQL answered.
pub fn adoptions(
    client: &mut Client,
    desired: &Desired,
    observed: &mut Observed,
    tenants: &[TenantKey],
    (baseline, password): (Option<Version>, AdoptedPassword),
) -> Result<(), Error> {
    let tenants: Vec<&Tenant> = tenants.iter().filter_map(|key| desired.tenants.get(key)).collect();
    let schemas: Vec<&str> = tenants.iter().map(|tenant| tenant.schema.as_str()).collect();
    let history_owners = history_owners(client, desired, &schemas)?;
    roles(client, desired, observed, (&schemas, &history_owners))?;
    history::read_unregistered(client, desired, observed, (&schemas, &history_owners))?;
    let mut tool_histories = match baseline {
        Some(_) => BTreeMap::new(),
        None => history::of_the_tool(client, desired, observed, &schemas)?,
    };
    for tenant in tenants {
        let row = as_registered(desired, observed, tenant);
        let history_owner = history_owners.get(&tenant.schema).cloned();
        let tool_history = tool_histories.remove(&tenant.schema);
        let adoption = Adoption { row, history_owner, baseline, tool_history, password, opens: None };
        observed.adoptions.insert(tenant.key.clone(), adoption);
    }
    Ok(())
}

fn history_owners(client: &mut Client, desired: &Desired, schemas: &[&str]) -> Result<BTreeMap<String, String>, Error> {
    let doing = "looking for the refinery histories";
    let rows = apart(client, desired, doing, |transaction| {
        transaction.ask(include_str!("sql/history_owners.sql"), &[&schemas, &desired.migrations.table]).doing(doing)
    })?;
    Ok(rows.iter().map(|row| (row.get("schema"), row.get("owner"))).collect())
}

/// The roles that own them, or something in them, or may use them, and that no tenant is declared with.
fn roles(
    client: &mut Client,
    desired: &Desired,
    observed: &mut Observed,
    (schemas, history_owners): (&[&str], &BTreeMap<String, String>),
) -> Result<(), Error> {
    let found = || schemas.iter().filter_map(|schema| observed.schemas.get(*schema));
    let owners = found().flat_map(|schema| schema.objects.iter().map(|group| &group.owner).chain([&schema.owner]));
    let granted = found().flat_map(|schema| schema.acl.entries()).filter_map(|entry| match entry.grantee {
        Grantee::Role(role) => Some(role),
        Grantee::Public => None,
    });
    let unknown = |role: &&String| !observed.roles.contains_key(*role);
    let names: BTreeSet<String> =
        owners.chain(granted).chain(history_owners.values()).filter(unknown).cloned().collect();
    let names: Vec<String> = names.into_iter().collect();
    let admin = observed.server.admin.name.clone();
    let roles =
        apart(client, desired, "reading the roles", |transaction| catalog::roles(transaction, &names, &admin, false))?;
    observed.roles.extend(roles);
    Ok(())
}

/// Where another role owns the schema, all in it changes hands, as it does when access "owner" ends.
fn as_registered(desired: &Desired, observed: &Observed, tenant: &Tenant) -> Registered {
    let schema = observed.schemas.get(&tenant.schema);
    let owner = schema.map_or(tenant.owner(), |schema| schema.owner.as_str());
    let access = if owner == tenant.owner() { tenant.access } else { Access::Owner };
    let fields = desired.secret_fields(tenant, &observed.server, &observed.database.name, None);
    Registered {
        schema: tenant.schema.clone(),
        schema_oid: schema.map(|schema| schema.oid),
        username: tenant.username.clone(),
        owner: owner.to_owned(),
        access,
        state: State::Active,
        on_remove: tenant.on_remove,
        suspended: false,
        protected: tenant.protected,
        secret: RegisteredSecret {
            store: desired.secrets.store.as_str().to_owned(),
            place: Some(desired.secrets.place()),
            path: tenant.secret_path.clone(),
            version: None,
            fields,
        },
        password_source: tenant.password_source(),
        rotation: Rotation::Single,
        declared_by: tenant.origin,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        password_changed_at: None,
        deputy: None,
        deputy_at_work: false,
        history_table: Some(desired.migrations.table.clone()),
        former_secrets: Vec::new(),
    }
}
