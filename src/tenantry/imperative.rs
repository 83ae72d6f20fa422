//! One tenant at a time, for a program that creates them as they come and keeps no tenants.toml.
//!
//! Of everybody else nothing is looked at: what it takes does not grow with the fleet.

use super::approved::Way;
use super::consent::{self, Consent};
use super::creation::Filling;
use super::environment::Environment;
use super::error::{Clash, Error, Guard, Refusal};
use super::guards;
use super::locked::Locked;
use super::planned::Planned;
use super::rotation::{self, Which};
use super::session::Session;
use crate::core::model::secret::Secret;
use crate::core::model::{Desired, Named, Observed, OnRemove, Origin, Registered, Scope, State, Template, Tenant};
use crate::core::report::{Outcome, Report, TenantError};
use crate::engine::error::Context;
use crate::engine::inspect::{self, Sizes};
use crate::engine::project::Project;
use crate::engine::secrets::Found;

/// The same project, and all that is spoken of is these tenants. Whoever has one of their names is looked at too.
pub(super) fn about(project: &Project, tenants: &[Tenant]) -> Project {
    let mut project = Project::clone(project);
    let roles = tenants.iter().flat_map(|tenant| [tenant.username.clone(), tenant.owner_role.clone()]);
    project.desired.scope = Scope::Named(Named {
        keys: tenants.iter().map(|tenant| tenant.key.clone()).collect(),
        schemas: tenants.iter().map(|tenant| tenant.schema.clone()).collect(),
        roles: roles.collect(),
        removes: None,
    });
    project.desired.tenants = tenants.iter().map(|tenant| (tenant.key.clone(), tenant.clone())).collect();
    project
}

/// The same, and the tenant that has this one's schema is to go.
pub(super) fn without(project: &Project, tenant: &Tenant) -> Project {
    let mut project = about(project, std::slice::from_ref(tenant));
    project.desired.tenants.clear();
    if let Scope::Named(named) = &mut project.desired.scope {
        named.removes = Some(tenant.schema.clone());
    }
    project
}

/// The registry as it is, and nothing of what it names.
pub(super) fn registered(session: Session) -> Result<Observed, Error> {
    let Session { ground, mut client } = session;
    Ok(inspect::registered(&mut client, &ground.target, &ground.project.desired)?)
}

pub(super) fn measured(mut session: Session, tenant: &Tenant) -> Result<Measured, Error> {
    let mut observed = session.observe(Sizes::Removed)?;
    let client = &mut session.client;
    let bytes = inspect::measure(client, &mut observed, &tenant.subject())?;
    let schema = observed.schemas.get(&tenant.schema);
    let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
    let users = row.into_iter().flat_map(Registered::login_users).chain([tenant.username.clone()]);
    let users: Vec<String> = users.collect();
    Ok(Measured {
        bytes,
        tables: schema.map_or(0, |schema| schema.tables),
        migration: schema.and_then(|schema| schema.history.applied().last()).map(|applied| applied.version),
        rows: inspect::row_estimates(client, &[&tenant.schema])?.remove(&tenant.schema),
        connections: inspect::connections(client, &users)?.values().sum(),
    })
}

/// The tenant's secret, from the store.
pub(super) fn secret_of(project: &Project, environment: &Environment, tenant: &Tenant) -> Result<Secret, Error> {
    let store = project.store(&|name| environment.get(name))?;
    match store.read(&tenant.secret_path).doing(format!("reading the secret of {}", tenant.key))? {
        Found::Readable(_, secret) => Ok(secret),
        Found::Absent | Found::Foreign { .. } => {
            let message = format!("the secret at {} is gone", store.locate(&tenant.secret_path));
            Err(refused(Clash::Blocked, message, "rotate gives it a new password, and a new secret"))
        }
    }
}

/// What a tenant takes.
pub(crate) struct Measured {
    pub bytes: i64,
    pub tables: i64,
    pub rows: Option<i64>,
    pub connections: i64,
    pub migration: Option<i64>,
}

const CREATING: Filling = Filling { guard: Guard::OneTenant(Clash::Blocked), word: "create it" };

fn refused(clash: Clash, message: String, hint: impl Into<String>) -> Error {
    Refusal::new(Guard::OneTenant(clash), message, hint).into()
}

impl Locked {
    /// The plan that creates this tenant, which nobody has in any part.
    pub(crate) fn create(mut self, tenant: &Tenant, template: Option<&Template>) -> Result<Planned, Error> {
        let mut observed = self.session.observe(Sizes::Removed)?;
        guards::sees_everything(&observed)?;
        is_free(&observed, tenant)?;
        let Session { ground, client } = &mut self.session;
        if let Some(from) = template.and_then(|template| ground.project.desired.tenants.get(&template.tenant)) {
            inspect::measure(client, &mut observed, &from.subject())?;
        }
        let plan = CREATING.plan(ground, &observed, &tenant.key, template.cloned())?;
        Ok(self.converging(observed, plan))
    }

    /// The plan that removes this tenant, which a program created.
    pub(crate) fn remove(mut self, tenant: &Tenant, on_remove: OnRemove) -> Result<Planned, Error> {
        let mut observed = self.session.observe(Sizes::Removed)?;
        guards::sees_everything(&observed)?;
        let row = is_ours(&observed, tenant)?;
        is_kept_here(&self.session.ground.project.desired, row)?;
        if row.on_remove == OnRemove::Archive && on_remove != OnRemove::Archive && row.state == State::Active {
            let message = format!("the tenant with schema {:?} is to be archived before it is removed", row.schema);
            return Err(refused(Clash::Blocked, message, "name the directory of archives"));
        }
        let rows = observed.registry.iter_mut().flat_map(|registry| registry.tenants.values_mut());
        rows.filter(|row| row.schema == tenant.schema).for_each(|row| row.on_remove = on_remove);
        let mut plan = self.session.ground.diff(&observed);
        plan.database_changes.clear();
        Ok(self.converging(observed, plan))
    }

    /// The plan that gives this tenant, which a program created, another password.
    pub(crate) fn renew(mut self, tenant: &Tenant) -> Result<Planned, Error> {
        let observed = self.session.observe(Sizes::Removed)?;
        guards::sees_everything(&observed)?;
        let ground = &self.session.ground;
        is_kept_here(&ground.project.desired, is_ours(&observed, tenant)?)?;
        let (plan, _) = rotation::plan(ground, &observed, &Which::Named(vec![tenant.key.to_string()]), false);
        let needs = consent::new_secrets(&plan, &|path| ground.store.locate(path));
        Ok(self.planned(observed, plan, needs.into_iter().collect(), Way::Rotate))
    }
}

impl Planned {
    /// Carries out what is about one tenant.
    pub(crate) fn carry_out(self, consents: &[Consent]) -> Result<Result<Report, TenantError>, Error> {
        if let Some(blocked) = self.plan.tenants.iter().find(|tenant| tenant.reason.is_some()) {
            let hint = blocked.hint.clone();
            let message = format!("{}; nothing was changed", blocked.reason.clone().unwrap_or_default());
            return Err(Refusal { guard: Guard::OneTenant(Clash::Blocked), message, hint }.into());
        }
        let report = self.approve(consents)?.apply(&())?;
        if let Some(error) = &report.shared_error {
            return Ok(Err(error.clone()));
        }
        let failed =
            report.outcomes.iter().find(|outcome| outcome.outcome != Outcome::Applied || outcome.error.is_some());
        match failed {
            Some(outcome) => {
                let unknown = || TenantError::new(format!("{:?}", outcome.outcome).to_lowercase());
                Ok(Err(outcome.error.clone().unwrap_or_else(unknown)))
            }
            None => Ok(Ok(report)),
        }
    }
}

/// Nobody has one of its names, registered or not.
fn is_free(observed: &Observed, tenant: &Tenant) -> Result<(), Error> {
    let Tenant { key, schema, username, owner_role, .. } = tenant;
    let rows = || observed.registry.iter().flat_map(|registry| &registry.tenants);
    let there = rows().filter(|(_, row)| row.state != State::Removed);
    for (other, row) in there {
        if row.schema == *schema {
            let message =
                format!("schema {schema:?} already exists: it is tenant {other}'s, with user {:?}", row.username);
            return Err(refused(Clash::Schema, message, "rotate gives it a new password"));
        }
        let taken = [&row.username, &row.owner].into_iter().find(|role| [username, owner_role].contains(role));
        if let Some(role) = taken {
            let message = format!("role {role:?} already exists: it is tenant {other}'s, with schema {:?}", row.schema);
            return Err(refused(Clash::User, message, "choose another username"));
        }
        if other == key {
            let message =
                format!("another tenant has the key {key}, with schema {:?} and user {:?}", row.schema, row.username);
            return Err(refused(Clash::Schema, message, "choose another schema name"));
        }
    }
    if observed.schemas.contains_key(schema) {
        let message = format!("schema {schema:?} already exists, and is no tenant's");
        return Err(refused(
            Clash::Schema,
            message,
            "choose another name, or take it under management: tenantry adopt",
        ));
    }
    for role in [username, owner_role] {
        if observed.roles.contains_key(role) {
            let message = format!("role {role:?} already exists, and is no tenant's");
            return Err(refused(Clash::User, message, "choose another name, or drop that role first"));
        }
    }
    Ok(())
}

/// A secret that nobody looks at here would stay behind, or say what is no longer true.
fn is_kept_here(desired: &Desired, row: &Registered) -> Result<(), Error> {
    let secret = &row.secret;
    let is_here = secret.store == desired.secrets.store.as_str()
        && secret.place.as_ref().is_none_or(|place| *place == desired.secrets.place());
    if secret.version.is_none() || is_here {
        return Ok(());
    }
    // A Vault's place is "/" where the environment names its mount.
    let place = secret.place.as_deref().filter(|place| *place != "/");
    let store = place.map_or_else(|| secret.store.clone(), |place| format!("{} {place}", secret.store));
    let message = format!("the secret of the tenant with schema {:?} is in another store: {store}", row.schema);
    Err(refused(Clash::Blocked, message, "name that store"))
}

/// A program created it, and it has this schema and this username.
pub(crate) fn is_ours<'a>(observed: &'a Observed, tenant: &Tenant) -> Result<&'a Registered, Error> {
    let Tenant { schema, username, .. } = tenant;
    let mut rows = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let Some((key, row)) = rows.find(|(_, row)| row.schema == *schema) else {
        let message = if observed.schemas.contains_key(schema) {
            format!("schema {schema:?} is no tenant's, so it was left as it is")
        } else {
            format!("there is no tenant with schema {schema:?}")
        };
        return Err(refused(Clash::NoTenant, message, "list_tenants says which there are"));
    };
    if row.declared_by != Origin::Api {
        let message = format!("tenant {key}, which has schema {schema:?}, is declared in tenants.toml");
        let hint = format!(
            "to remove it: tenantry forget {key}, and tenantry apply   for a new password: tenantry rotate {key}"
        );
        return Err(refused(Clash::OfAFile, message, hint));
    }
    if row.username != *username {
        let message = format!("the user of schema {schema:?} is {:?}, and not {username:?}", row.username);
        return Err(refused(Clash::AnotherUser, message, "name the user that belongs to the schema"));
    }
    Ok(row)
}
