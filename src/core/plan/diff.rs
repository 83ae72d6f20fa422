//! diff(desired, observed) = plan.

use std::collections::{BTreeMap, BTreeSet};

use super::ring::Rings;
use super::{
    DatabaseIdentity, Doubt, Missing, Plan, SeenSchema, Targeting, Verb, database, fleet, home, limits, missing, order,
    powers, removal, tenant,
};
use crate::core::model::{Access, Desired, Observed, Registered, State, TenantKey, literal};

/// Both sides, and what many tenants ask of them, computed once.
pub(super) struct Look<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    /// The NOLOGIN role that holds what tenants share.
    pub group: String,
    /// The NOLOGIN role that holds what the tenants' owners need for their migrations.
    pub owners_group: String,
    /// They need it: [`database::owners_want_temp`].
    pub owners_join: bool,
    /// Which registered tenant has which schema.
    pub schema_of: BTreeMap<&'a str, &'a TenantKey>,
    /// Which registered tenant has which role, as username or owner.
    pub role_of: BTreeMap<&'a str, &'a TenantKey>,
    /// Every role that owns for a tenant, declared or registered, with those tenants.
    pub owners: BTreeMap<&'a str, BTreeSet<&'a TenantKey>>,
    /// Roles that own for a registered tenant beside its username.
    pub registered_owners: BTreeSet<&'a str>,
    /// Which declared tenant is to have which schema.
    pub claims_schema: BTreeMap<&'a str, &'a TenantKey>,
    /// Which declared tenant is to have which role, as username or owner.
    pub claims_role: BTreeMap<&'a str, &'a TenantKey>,
    /// Roles that pg_dump or pg_restore logs in as. They are not memberships made by hand: each goes by itself, or with a change of the
    /// tenant whose row names it, and with it from an owner role that others share.
    pub deputies: BTreeSet<&'a str>,
}

impl<'a> Look<'a> {
    pub fn new(desired: &'a Desired, observed: &'a Observed) -> Self {
        let mut look = Self {
            desired,
            observed,
            group: group_role(&observed.database.name),
            owners_group: owners_role(&observed.database.name),
            owners_join: database::owners_want_temp(desired, observed),
            schema_of: BTreeMap::new(),
            role_of: BTreeMap::new(),
            owners: BTreeMap::new(),
            registered_owners: BTreeSet::new(),
            claims_schema: BTreeMap::new(),
            claims_role: BTreeMap::new(),
            deputies: BTreeSet::new(),
        };
        look.deputies = look.registered().filter_map(|(_, row)| row.deputy.as_deref()).collect();
        for (key, row) in look.registered().filter(|(_, row)| row.state != State::Removed) {
            look.schema_of.insert(&row.schema, key);
            look.role_of.insert(&row.username, key);
            if row.access != Access::Owner {
                look.role_of.insert(&row.owner, key);
                look.registered_owners.insert(&row.owner);
                look.owners.entry(&row.owner).or_default().insert(key);
            }
        }
        for (key, tenant) in &desired.tenants {
            look.claims_schema.insert(&tenant.schema, key);
            look.claims_role.insert(&tenant.username, key);
            if tenant.access != Access::Owner {
                look.claims_role.insert(&tenant.owner_role, key);
                look.owners.entry(&tenant.owner_role).or_default().insert(key);
            }
        }
        look
    }

    pub fn registered(&self) -> impl Iterator<Item = (&'a TenantKey, &'a Registered)> + use<'a> {
        self.observed.registry.iter().flat_map(|registry| registry.tenants.iter())
    }

    pub fn registered_tenant(&self, key: &TenantKey) -> Option<&'a Registered> {
        self.observed.registry.as_ref()?.tenants.get(key)
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

    /// For the transaction in which an owner role goes, or its name: one that was shared, and was to be dropped after its
    /// last tenants, is no longer remembered.
    pub fn forgetting_owner(&self, role: &str) -> Option<String> {
        let registry = self.observed.registry.as_ref();
        registry.filter(|registry| registry.former_owners.contains(role)).map(|_| former_owner_is_gone(role))
    }
}

/// SQL, for the transaction that makes an owner role for several tenants: until the first of them is registered with it,
/// nothing else tells it from one that was there before.
pub(super) fn remember_owner(role: &str) -> String {
    format!("INSERT INTO tenantry.former_owners (role) VALUES ({}) ON CONFLICT DO NOTHING", literal(role))
}

/// SQL.
pub(super) fn former_owner_is_gone(role: &str) -> String {
    format!("DELETE FROM tenantry.former_owners WHERE role = {}", literal(role))
}

/// Roles are the cluster's, so the group role's name says which database it serves.
#[must_use]
pub fn group_role(database: &str) -> String {
    group_of(database, "tenants")
}

/// The group role of the roles that own for the tenants.
#[must_use]
pub fn owners_role(database: &str) -> String {
    group_of(database, "owners")
}

fn group_of(database: &str, whose: &str) -> String {
    let name = format!("tenantry_{database}_{whose}");
    if name.len() <= crate::core::model::MAX_NAME_BYTES {
        return name;
    }
    // Cut, and told apart from another database whose name begins the same.
    let digest = &super::saved::digest(database)[..8];
    let mut cut = database;
    while "tenantry___".len() + whose.len() + digest.len() + cut.len() > crate::core::model::MAX_NAME_BYTES {
        let last = cut.char_indices().next_back().map_or(0, |(at, _)| at);
        cut = &cut[..last];
    }
    format!("tenantry_{cut}_{digest}_{whose}")
}

/// Whether the role owns for other tenants than this one too, declared or registered.
#[must_use]
pub fn is_shared_owner(desired: &Desired, observed: &Observed, role: &str, key: &TenantKey) -> bool {
    Look::new(desired, observed).is_shared_owner(role, key)
}

/// What turns `observed` into `desired`, for the tenants that `selects` takes.
///
/// Pure: same input, same plan, byte for byte.
#[must_use]
pub fn diff(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Plan {
    let rings = Rings::find(desired, observed, selects);
    let as_it_is = observed;
    let parked = (!rings.is_empty()).then(|| rings.parked(observed));
    let observed = parked.as_ref().unwrap_or(observed);
    let look = Look::new(desired, observed);
    let declared = desired.tenants.values().filter(|tenant| selects(&tenant.key)).map(|t| tenant::plan(&look, t));
    let removed = look
        .registered()
        .filter(|(key, _)| !desired.tenants.contains_key(*key) && selects(key))
        .filter_map(|(key, row)| removal::plan(&look, key, row));
    let mut tenants: Vec<_> = declared.chain(removed).collect();
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    rings.complete(&look, as_it_is, &mut tenants);
    let mut hazards = powers::plan(&look, &mut tenants);
    let doubts = home::doubts(desired, observed, &tenants);
    let missing = missing::missing(desired, observed, &tenants);
    hazards.extend(doubts.iter().map(Doubt::hazard));
    hazards.extend(missing.iter().map(Missing::hazard));
    let (database_changes, others) = database::plan(&look, &tenants, &doubts);
    hazards.extend(others);
    // Under the names that they have: what is parked is nobody's wish.
    let unparked = parked.as_ref().map(|_| Look::new(desired, as_it_is));
    let (fleet_changes, found) = fleet::plan(unparked.as_ref().unwrap_or(&look), &tenants);
    hazards.splice(0..0, found);
    hazards.extend(removal::disk_hazard(&look, &tenants));
    hazards.extend(limits::hazards(&look, &tenants));
    let waits = order::waits(&look, &tenants);
    debug_assert!(tenants.iter().all(|t| (t.verb == Verb::Blocked) == t.reason.is_some()));
    Plan {
        database: DatabaseIdentity::new(&observed.server, &observed.database.name),
        database_changes,
        hazards,
        doubts,
        missing,
        unseen: observed.unseen.clone(),
        tenants,
        targeting: Targeting::new(desired, as_it_is, selects),
        together: rings.together,
        waits,
        fleet_changes,
        shape: None,
    }
}
