//! Both sides of a plan, and what many tenants ask of them.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{group_role, owners_role};
use super::public_schema::owners_want_temp;
use super::tenant_plan::SeenSchema;
use crate::core::model::{
    Access, Adoption, Belongs, Desired, Observed, Registered, SecretState, State, TenantKey, VaultObject,
};

/// Both sides, and what many tenants ask of them, computed once.
pub(super) struct Fleet<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    /// The NOLOGIN role that holds what tenants share.
    pub group: String,
    /// The NOLOGIN role that holds what the tenants' owners need for their migrations.
    pub owners_group: String,
    /// They need it: [`owners_want_temp`].
    pub owners_join: bool,
    /// Which registered tenant has which schema.
    pub schema_of: BTreeMap<&'a str, &'a TenantKey>,
    /// Which registered tenant has which role, as username or owner, or as a user that logs in for it.
    pub role_of: BTreeMap<String, &'a TenantKey>,
    /// Every role that owns for a tenant, declared or registered, with those tenants.
    pub owners: BTreeMap<&'a str, BTreeSet<&'a TenantKey>>,
    /// Roles that own for a registered tenant beside its username.
    pub registered_owners: BTreeSet<&'a str>,
    /// Which declared tenant is to have which schema.
    pub claims_schema: BTreeMap<&'a str, &'a TenantKey>,
    /// Which declared tenant is to have which role, as username or owner.
    pub claims_role: BTreeMap<String, &'a TenantKey>,
    /// Roles that pg_dump or pg_restore logs in as. They are not memberships made by hand: each goes by itself, or with a change of the
    /// tenant whose row names it, and with it from an owner role that others share.
    pub deputies: BTreeSet<&'a str>,
    /// In which of the tenants' schemas a role owns the schema or something in it; asked only of those to be adopted.
    pub owns_in: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Fleet<'a> {
    pub fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        let mut fleet = Self {
            desired,
            observed,
            group: group_role(&observed.database.name),
            owners_group: owners_role(&observed.database.name),
            owners_join: owners_want_temp(desired, observed),
            schema_of: BTreeMap::new(),
            role_of: BTreeMap::new(),
            owners: BTreeMap::new(),
            registered_owners: BTreeSet::new(),
            claims_schema: BTreeMap::new(),
            claims_role: BTreeMap::new(),
            deputies: BTreeSet::new(),
            owns_in: BTreeMap::new(),
        };
        for (name, schema) in observed.schemas.iter().filter(|_| !observed.adoptions.is_empty()) {
            for owner in schema.objects.iter().map(|group| &group.owner).chain([&schema.owner]) {
                fleet.owns_in.entry(owner).or_default().insert(name);
            }
        }
        fleet.deputies = fleet.registered().filter_map(|(_, row)| row.deputy.as_deref()).collect();
        for (key, row) in fleet.registered().filter(|(_, row)| row.state != State::Removed) {
            fleet.schema_of.insert(&row.schema, key);
            fleet.role_of.insert(row.username.clone(), key);
            fleet.role_of.extend(row.login_users().into_iter().map(|user| (user, key)));
            if row.access != Access::Owner {
                fleet.role_of.insert(row.owner.clone(), key);
                fleet.registered_owners.insert(&row.owner);
                fleet.owners.entry(&row.owner).or_default().insert(key);
            }
        }
        for (key, tenant) in &desired.tenants {
            fleet.claims_schema.insert(&tenant.schema, key);
            fleet.claims_role.insert(tenant.username.clone(), key);
            fleet.claims_role.extend(tenant.login_users().into_iter().map(|user| (user, key)));
            if tenant.access != Access::Owner {
                fleet.claims_role.insert(tenant.owner_role.clone(), key);
                fleet.owners.entry(&tenant.owner_role).or_default().insert(key);
            }
        }
        fleet
    }

    pub fn registered(&self) -> impl Iterator<Item = (&'a TenantKey, &'a Registered)> + use<'a> {
        self.observed.registry.iter().flat_map(|registry| registry.tenants.iter())
    }

    pub fn registered_tenant(&self, key: &TenantKey) -> Option<&'a Registered> {
        let row = self.observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        row.or_else(|| self.adoption(key).map(|adoption| &adoption.row))
    }

    /// What is to be known of a tenant that this plan takes over.
    pub fn adoption(&self, key: &TenantKey) -> Option<&'a Adoption> {
        self.observed.adoptions.get(key)
    }

    /// For apply to know it again.
    pub fn seen(&self, schema: &str) -> Option<SeenSchema> {
        let found = self.observed.schemas.get(schema)?;
        Some(SeenSchema { name: schema.to_owned(), oid: found.oid })
    }

    /// Whether the role is a tenant's, declared or registered, or one that tenants are members of, or that works for one.
    pub fn is_tenants(&self, role: &str) -> bool {
        role == self.group
            || self.role_of.contains_key(role)
            || self.claims_role.contains_key(role)
            || self.owners.contains_key(role)
            || self.deputies.contains(role)
            || self.remembers_owner(role)
    }

    /// Whether the role owns for more than this one tenant.
    pub fn is_shared_owner(&self, role: &str, key: &TenantKey) -> bool {
        self.owners.get(role).is_some_and(|tenants| tenants.iter().any(|other| *other != key))
    }

    /// Whether an owner role for several tenants that no tenant is registered with was made here. Not so one that somebody
    /// made since under its name: ours can do nothing but join the group role, from the transaction on that made it.
    pub fn remembers_owner(&self, role: &str) -> bool {
        let remembered = self.observed.registry.as_ref().is_some_and(|registry| registry.former_owners.contains(role));
        let found = self.observed.roles.get(role);
        remembered && found.is_some_and(|found| !found.can_login && found.is_member_of(&self.group))
    }

    /// The registered tenant's owner role, when it owns for no other.
    pub fn owner_of_its_own<'r>(&self, key: &TenantKey, row: &'r Registered) -> Option<&'r String> {
        Some(&row.owner).filter(|owner| row.access != Access::Owner && !self.is_shared_owner(owner, key))
    }

    /// Whether the registry still remembers the role as an owner that several tenants shared, and that was to be dropped
    /// after the last of them.
    pub fn is_remembered_owner(&self, role: &str) -> bool {
        self.observed.registry.as_ref().is_some_and(|registry| registry.former_owners.contains(role))
    }

    /// Whether a secret with this mark may be written over, deleted, or its password used. `registered`: the registry names it.
    pub fn may_take(&self, belongs: &Belongs, registered: bool) -> bool {
        self.observed.moved
            || match belongs {
                Belongs::AnotherFleet(_) => false,
                Belongs::Former => registered,
                // Of the last two there is a doubt, which concerns the whole database.
                Belongs::Here | Belongs::Unmarked | Belongs::AnotherCluster(_) | Belongs::AnotherCopy(_) => true,
            }
    }

    /// What the registry says was made in Vault for the tenant, in the namespace that is configured.
    pub fn vault_objects(&self, key: &TenantKey) -> impl Iterator<Item = &'a VaultObject> {
        let namespace = self.desired.secrets.vault_namespace();
        let registered = self.observed.registry.iter().flat_map(|registry| registry.vault_access.get(key)).flatten();
        registered.filter(move |registered| registered.namespace == namespace).map(|registered| &registered.object)
    }

    /// The version of a secret at this path that the registry names and that is this database's to delete.
    pub fn own_secret(&self, path: &str) -> Option<&String> {
        match self.observed.secrets.get(path) {
            Some(SecretState::Ours { version, belongs, .. }) if self.may_take(belongs, true) => Some(version),
            _ => None,
        }
    }
}

/// Whether the role owns for other tenants than this one too, declared or registered.
#[must_use]
pub fn is_shared_owner(desired: &Desired, observed: &Observed, role: &str, key: &TenantKey) -> bool {
    Fleet::new(desired, observed).is_shared_owner(role, key)
}
