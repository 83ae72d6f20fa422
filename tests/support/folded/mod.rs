//! The observed state after an apply, from the typed changes of its plan: what a look finds if each does what it says. Neither
//! their words nor their SQL are read.

mod migrations;
mod privileges;
mod roles;

use tenantry::model::{Acl, Desired, Grantee, Observed, PublicSchema, Registry, Role, Schema, SecretState, State};
use tenantry::plan::action::{Change, WriteSecret};
use tenantry::plan::{AfterCommit, EndState, Phases, Plan, TenantPlan, public_schema_policy};

use self::privileges::without;
use crate::support_as_applied::{as_applied, contents_of, row};

/// `before` once `plan`, made for `desired`, is carried out. What tenants share is as declared: a plan says that in words.
pub fn folded(plan: &Plan, desired: &Desired, before: &Observed) -> Observed {
    let shared = as_applied(desired, before.server.clone()).database;
    let mut fold = Fold { desired, observed: before.clone(), next_oid: 90_000 };
    let database = &mut fold.observed.database;
    database.group = database.group.take().or(shared.group);
    database.owners_group = database.owners_group.take().or(shared.owners_group);
    if public_schema_policy(desired, before) == PublicSchema::Revoke {
        database.public_has_temp = false;
    }
    fold.registry();
    fold.observed.adoptions.clear();
    // Whoever wants a name that is parked finds it free.
    for park in plan.tenants.iter().filter_map(|tenant| tenant.phases.park.as_ref()) {
        fold.park(park);
    }
    for tenant in plan.tenants.iter().filter(|tenant| tenant.verb.is_work()) {
        fold.tenant(tenant);
    }
    fold.observed
}

struct Fold<'a> {
    desired: &'a Desired,
    observed: Observed,
    next_oid: u32,
}

impl Fold<'_> {
    /// In the order of docs/adr/0001.
    fn tenant(&mut self, plan: &TenantPlan) {
        let Phases { transaction, secret, switch, after, .. } = &plan.phases;
        let given = plan.target.delivers().is_some_and(|(tenant, _)| tenant.password.is_some());
        for change in transaction {
            self.change(change);
        }
        let mut version = secret.as_ref().map(|secret| self.write(secret, given));
        if let Some(switch) = switch {
            version = Some(self.write(&switch.secret, given));
            switch.then.iter().for_each(|change| self.change(change));
        }
        self.register(plan, version);
        for step in after {
            self.after_commit(plan, step);
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            // Rights are had for the transaction; what others gave is no tenant's state; rows are nobody's business here.
            Change::BorrowRights(_) | Change::ReturnRights(_) | Change::RevokeGifts(_) | Change::CopyRows(_) => {}
            // The registry's row says it.
            Change::Adopt(_) | Change::SetPolicy(_) => {}
            Change::RenameRole(rename) => {
                self.rename_role(&rename.from, &rename.to);
                self.registry().former_owners.remove(&rename.from);
            }
            Change::CreateOwner(create) => self.create_role(&create.role, false, -1),
            Change::CreateRole(create) => {
                self.create_role(&create.role, create.login && !create.suspended, create.connection_limit);
            }
            Change::AlterRole(alter) => self.alter_role(alter),
            Change::SetPassword(set) => self.role(&set.role).lacks_password = false,
            Change::DropDeputy(deputy) => {
                self.forget_role(&deputy.role);
                for row in self.registry().tenants.values_mut().filter(|row| row.deputy.as_ref() == Some(&deputy.role))
                {
                    row.deputy = None;
                }
            }
            Change::RenameSchema(rename) => self.rename_schema(&rename.from, &rename.to),
            Change::RenameHistory(rename) => self.schema(&rename.schema).history_called = None,
            Change::Join(join) => self.join(join),
            Change::Leave(leave) => self.leave(leave),
            Change::CreateSchema(create) => {
                let acl = Acl::default().with(Grantee::Role(create.owner.clone()), "CU");
                let schema = Schema { oid: self.next_oid, owner: create.owner.clone(), acl, ..Schema::default() };
                self.next_oid += 1;
                self.observed.schema_names.insert(schema.oid, create.schema.clone());
                self.observed.schemas.insert(create.schema.clone(), schema);
            }
            Change::SetOwner(set) => self.set_owner(set),
            Change::Grant(grant) => self.grant(grant),
            Change::RevokeDefaults(revoke) => {
                for default in &mut self.schema(&revoke.schema).default_acls {
                    if default.role == revoke.role && default.kind.plural() == revoke.plural {
                        default.acl = without(&default.acl, &revoke.grantee);
                    }
                }
            }
            Change::GrantObjects(grant) => self.grant_objects(grant),
            Change::RevokeOutside(revoke) => self.role(&revoke.role).outside.retain(|found| *found != revoke.found),
            Change::SetSetting(set) => self.set_setting(set),
            Change::DropLargeObjects(drop) => {
                for role in &drop.roles {
                    self.role(role).large_objects = 0;
                }
            }
            Change::DropSchema(drop) => {
                self.observed.schemas.remove(&drop.schema);
                self.observed.schema_names.retain(|_, name| *name != drop.schema);
            }
            Change::DropRole(drop) => self.drop_role(drop),
            Change::Baseline(baseline) => self.baseline(baseline),
            Change::Migrate(migrate) => self.migrate(migrate),
        }
    }

    fn registry(&mut self) -> &mut Registry {
        self.observed.registry.get_or_insert_with(Registry::default)
    }

    fn role(&mut self, name: &str) -> &mut Role {
        self.observed.roles.get_mut(name).unwrap_or_else(|| panic!("role {name} is changed before it is there"))
    }

    fn schema(&mut self, name: &str) -> &mut Schema {
        self.observed.schemas.get_mut(name).unwrap_or_else(|| panic!("schema {name} is changed before it is there"))
    }

    fn write(&mut self, secret: &WriteSecret, given: bool) -> String {
        let now = match self.observed.secrets.get(&secret.path) {
            Some(SecretState::Ours { version, .. }) => Some(version.clone()),
            _ => None,
        };
        assert_eq!(now, secret.expected, "the version of {}", secret.path);
        let version = format!("{}+", now.unwrap_or_default());
        // Read only where the registry does not know the version, or the password is given.
        let contents = given.then(|| contents_of(secret.fields.clone(), Some(true)));
        let belongs = tenantry::model::Belongs::Here;
        let state = SecretState::Ours { version: version.clone(), created: None, marked: true, belongs, contents };
        self.observed.secrets.insert(secret.path.clone(), state);
        version
    }

    /// The tenant's row.
    fn register(&mut self, plan: &TenantPlan, version: Option<String>) {
        let key = &plan.tenant;
        match &plan.target {
            EndState::None => {}
            EndState::Declared { tenant, secret_version, fields, .. } => {
                let known = self.registry().tenants.get(key).map(|row| row.secret.version.clone());
                let mut new = row(self.desired, &self.observed, tenant);
                new.schema_oid = self.observed.schemas.get(&tenant.schema).map(|schema| schema.oid);
                let switch = plan.phases.switch.as_ref();
                new.secret.fields = switch.map_or(fields, |switch| &switch.secret.fields).clone();
                new.rotation = switch.map_or(new.rotation, |switch| switch.rotation);
                new.secret.version = version.or_else(|| secret_version.clone()).or(known.flatten());
                self.registry().tenants.insert(key.clone(), new);
            }
            EndState::Rotated { fields, .. } => {
                let row = self.registry().tenants.get_mut(key).unwrap();
                row.secret.fields = fields.clone();
                row.secret.version = version;
            }
            EndState::Removed { .. } => drop(self.registry().tenants.remove(key)),
            EndState::Retained { .. } => {
                let row = self.registry().tenants.get_mut(key).unwrap();
                (row.state, row.secret.version) = (State::Retained, None);
            }
        }
    }

    fn after_commit(&mut self, plan: &TenantPlan, step: &AfterCommit) {
        match step {
            AfterCommit::SetVault(set) => {
                let namespace = self.desired.secrets.vault_namespace();
                let registered = tenantry::model::RegisteredVaultObject { namespace, object: set.object.clone() };
                self.registry().vault_access.entry(plan.tenant.clone()).or_default().insert(registered);
                let vault = self.observed.vault.as_mut().unwrap();
                vault.objects.insert(set.object.clone(), set.after.clone());
            }
            AfterCommit::DeleteVault(delete) => {
                if let Some(objects) = self.registry().vault_access.get_mut(&plan.tenant) {
                    objects.retain(|registered| registered.object != delete.object);
                }
                if let Some(vault) = &mut self.observed.vault {
                    vault.objects.remove(&delete.object);
                }
            }
            AfterCommit::DeleteSecret(delete) => drop(self.observed.secrets.remove(&delete.path)),
            AfterCommit::ForgetSecret(forget) => {
                for row in self.registry().tenants.values_mut() {
                    row.former_secrets.retain(|former| *former != forget.0);
                }
            }
            // Counted with those of the transaction.
            AfterCommit::Migrate(_) => {}
        }
    }
}
