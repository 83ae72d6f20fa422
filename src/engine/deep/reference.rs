//! What the migrations give: a tenant made in a scratch schema, looked at, and rolled back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use postgres::{Client, Transaction};
use rand::RngExt;

use super::Deep;
use crate::core::migrations::Version;
use crate::core::model::{
    Access, Desired, MadeObject, Mode, Observed, OnRemove, Origin, Registry, Rotation, Tenant, TenantKey, ident,
};
use crate::core::plan::{self, DatabaseAction, DatabaseChange, Plan};
use crate::core::shape::{Names, Shape, compare};
use crate::engine::apply::{Apply, Lock, Recorded, TenantError, Underway, Usernames, scratch_run};
use crate::engine::error::Error;
use crate::engine::inspect;
use crate::engine::inspect::shape::{Subject, digests, rows};

/// The shape after some of the migrations.
#[derive(Default)]
pub(super) struct Reference {
    pub names: Names,
    pub shape: Shape,
    /// The items that hold one of the scratch names: each tenant's is spelled otherwise.
    pub named: Vec<String>,
    /// Of all others.
    pub digest: Vec<u8>,
}

impl Reference {
    /// Whether these are the items that hold a tenant's names, all of them and no other.
    pub(super) fn fits(&self, named: &Shape, tenant: &Names) -> bool {
        let wanted = self.names.reference_for(&self.shape.only(&self.named), tenant, named);
        compare(named, &wanted).0.is_empty()
    }
}

impl Deep<'_> {
    /// Makes the reference for these versions, by the very plan and steps of a new tenant.
    ///
    /// # Errors
    /// What stood in the way: a right we lack, or a migration that fails.
    pub(super) fn reference(
        &self,
        client: &mut Client,
        versions: &BTreeSet<Version>,
    ) -> Result<Reference, TenantError> {
        let tables = self.tables();
        self.rehearsed(client, versions, |transaction, names| {
            let subject = [Subject {
                schema: names.schema.clone(),
                username: names.username.clone(),
                owner: names.owner.clone(),
                strict: false,
            }];
            let shape = rows(transaction, &subject, &tables, None)?.remove(&names.schema).unwrap_or_default();
            let named = named(&names, &shape);
            let digest = digests(transaction, &subject, &tables, &named)?.remove(&names.schema).unwrap_or_default();
            Ok(Reference { names, shape, named, digest: digest.digest })
        })
    }

    /// What these versions make, for the registry to remember.
    ///
    /// # Errors
    /// As [`Self::reference`].
    pub fn made(&self, client: &mut Client, versions: &BTreeSet<Version>) -> Result<BTreeSet<MadeObject>, TenantError> {
        let table = &self.desired.migrations.table;
        self.rehearsed(client, versions, |transaction, names| {
            inspect::made(transaction, &names.schema, &names.owner, table)
        })
    }

    fn rehearsed<T>(
        &self,
        client: &mut Client,
        versions: &BTreeSet<Version>,
        look: impl FnOnce(&mut Transaction<'_>, Names) -> Result<T, Error>,
    ) -> Result<T, TenantError> {
        self.may_make_one()?;
        let tenant = scratch()?;
        let names = Names {
            schema: tenant.schema.clone(),
            username: tenant.username.clone(),
            owner: tenant.owner_role.clone(),
        };
        let desired = Desired {
            migrations: self.desired.migrations.in_one_transaction(versions),
            tenants: [(tenant.key.clone(), tenant)].into(),
            ..self.desired.clone()
        };
        // Of the fleet nothing; of the database all.
        let observed = Observed {
            server: self.observed.server.clone(),
            database: self.observed.database.clone(),
            registry: Some(Registry::default()),
            ..Observed::default()
        };
        let plan = plan::diff(&desired, &observed, &|_| true);
        let [tenant_plan] = plan.tenants.as_slice() else {
            return Err(TenantError::new("the scratch tenant has no plan"));
        };
        let needed = needed(&plan)?;
        let apply = Apply {
            moved: false,
            mark: OnceLock::new(),
            target: self.target,
            lock: &Lock::none(),
            store: self.store,
            desired: &desired,
            server: &observed.server,
            // Nothing is archived.
            archive_dir: Path::new(""),
            programs: None,
            opened: None,
            parallelism: 1,
            stop: &AtomicBool::new(false),
            recorded: &Recorded::default(),
            underway: &Underway::new(),
            max_failures: 0,
            end_blockers: false,
            ending: None,
            usernames: &Usernames::new(),
            said: &|_, _| {},
            progress: &|_| {},
        };
        scratch_run(&apply, client, (&needed, tenant_plan), |transaction| look(transaction, names))
    }
}

/// What tenants share and is not there yet: before the first apply nothing of it is. It is rolled back with the scratch tenant.
fn needed(plan: &Plan) -> Result<Vec<&DatabaseChange>, TenantError> {
    use DatabaseAction::{CreateExtension, CreateGroup, CreateSharedSchema, GrantSharedSchema, GrantTemp};
    let changes = plan.database_changes.iter();
    let changes: Vec<&DatabaseChange> = changes
        .filter(|change| {
            matches!(change.action, CreateExtension | CreateGroup | CreateSharedSchema | GrantSharedSchema | GrantTemp)
        })
        .collect();
    // Its script runs as a superuser, and may do what no rollback takes back.
    match changes.iter().find(|change| change.action == CreateExtension) {
        Some(change) => {
            let error = TenantError::new(format!("what tenants share does not exist yet: {}", change.detail));
            Err(error.hint("tenantry apply, then try again"))
        }
        None => Ok(changes),
    }
}

impl Deep<'_> {
    fn may_make_one(&self) -> Result<(), TenantError> {
        let server = &self.observed.server;
        let error =
            TenantError::new("creating a scratch tenant, which is rolled back, takes the rights to create a tenant");
        if let Some(reader) = &server.reader {
            return Err(error.hint(format!("{reader} may only read; run this as the role that applies")));
        }
        let admin = &server.admin;
        if admin.superuser || admin.createrole && admin.can_create_schema {
            return Ok(());
        }
        let (name, database) = (ident(&admin.name), ident(&self.observed.database.name));
        Err(error.hint(format!("ALTER ROLE {name} CREATEROLE; GRANT CREATE ON DATABASE {database} TO {name}")))
    }
}

/// A tenant whose names nobody can have guessed and taken.
fn scratch() -> Result<Tenant, TenantError> {
    let schema = format!("tenantry_shape_{:016x}", rand::rng().random::<u64>());
    Ok(Tenant {
        key: TenantKey::new(&schema).map_err(|error| TenantError::new(error.to_string()))?,
        username: format!("{schema}_user"),
        owner_role: format!("{schema}_owner"),
        schema,
        access: Access::Full,
        connection_limit: -1,
        settings: BTreeMap::new(),
        on_remove: OnRemove::Drop,
        protected: false,
        mode: Mode::default(),
        password: None,
        secret_path: String::new(),
        rotation: Rotation::Single,
        rotate_after: None,
        strict_shape: false,
        class: None,
        suspended: false,
        origin: Origin::File,
        template: None,
    })
}

/// The titles of the items that hold a scratch name.
fn named(names: &Names, shape: &Shape) -> Vec<String> {
    let mut titles = Vec::new();
    for (name, object) in &shape.objects {
        let title = name.to_string();
        if names.stand_in(&title) || names.stand_in(&object.definition) {
            titles.push(title.clone());
        }
        for (part, found) in &object.parts {
            if names.stand_in(&title) || names.stand_in(&part.name) || names.stand_in(&found.definition) {
                titles.push(format!("{title} {part}"));
            }
        }
    }
    titles
}
