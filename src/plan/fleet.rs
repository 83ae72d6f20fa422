//! What one key of tenants.toml changes for many tenants at once: a typing error in it is one in all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::change::settings::split_identifiers;
use super::diff::Look;
use super::{Hazard, HazardKind, Kind, TenantPlan};
use crate::model::{OnRemove, Registered, State, StoreKind, Tenant, TenantKey};

/// Up to so many tenants, or up to this part of the fleet, a change is one that a person reads tenant by tenant: it needs no
/// word of its own. Above both, apply wants [`Consents::fleet_changes`].
const FEW: usize = 10;
const PERCENT: usize = 10;

/// A key of tenants.toml that can change every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetKey {
    SharedSchemas,
    Advertise,
    /// Every migration would run again: wants [`Consents::rename_history`], whatever the number of tenants.
    HistoryTable,
    Store,
    SecretPath,
    SecretDir,
    VaultMount,
    Schema,
    Username,
    Owner,
    Access,
    OnRemove,
    Protected,
    PasswordFrom,
}

impl FleetKey {
    pub const ALL: [Self; 14] = [
        Self::SharedSchemas,
        Self::Advertise,
        Self::HistoryTable,
        Self::Store,
        Self::SecretPath,
        Self::SecretDir,
        Self::VaultMount,
        Self::Schema,
        Self::Username,
        Self::Owner,
        Self::Access,
        Self::OnRemove,
        Self::Protected,
        Self::PasswordFrom,
    ];

    /// As in tenants.toml, with its section.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SharedSchemas => "database.shared_schemas",
            Self::Advertise => "database.advertise",
            Self::HistoryTable => "migrations.table",
            Self::Store => "secrets.store",
            Self::SecretPath => "secrets.path",
            Self::SecretDir => "secrets.dir",
            Self::VaultMount => "vault.mount",
            Self::Schema => "defaults.schema",
            Self::Username => "defaults.username",
            Self::Owner => "defaults.owner",
            Self::Access => "defaults.access",
            Self::OnRemove => "defaults.on_remove",
            Self::Protected => "defaults.protected",
            Self::PasswordFrom => "defaults.password_from",
        }
    }
}

impl fmt::Display for FleetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FleetKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().filter(|key| *key != Self::HistoryTable).find(|key| key.as_str() == text);
        found.ok_or_else(|| format!("{text:?} is no key whose change is held back"))
    }
}

/// One key's change, of more than one tenant (of the history's name: of any).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetChange {
    pub key: FleetKey,
    /// Of the tenants that have most in common, "{tenant}" standing for the key.
    pub before: String,
    pub after: String,
    pub tenants: usize,
    /// All that are registered.
    pub of: usize,
}

impl FleetChange {
    /// Apply does it only when it is told to.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.key == FleetKey::HistoryTable || self.tenants > FEW && self.tenants * 100 > self.of * PERCENT
    }

    /// What to type for it.
    #[must_use]
    pub fn flag(&self) -> String {
        match self.key {
            FleetKey::HistoryTable => "--rename-history".to_owned(),
            key => format!("--allow-fleet-change {key}"),
        }
    }

    fn hazard(&self) -> Hazard {
        let held_back = if self.is_held_back() { format!("; apply wants {}", self.flag()) } else { String::new() };
        Hazard { kind: HazardKind::WholeFleet, detail: format!("{self}{held_back}") }
    }
}

impl fmt::Display for FleetChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after, tenants, of } = self;
        write!(f, "{key} {before} \u{2192} {after}: {tenants} of {of} tenants")
    }
}

/// What whoever applies a plan has said yes to, beyond the plan itself.
#[derive(Clone, Debug, Default)]
pub struct Consents {
    pub fleet_changes: BTreeSet<FleetKey>,
    /// The history tables get the configured name.
    pub rename_history: bool,
}

impl Consents {
    fn covers(&self, change: &FleetChange) -> bool {
        match change.key {
            FleetKey::HistoryTable => self.rename_history,
            key => self.fleet_changes.contains(&key),
        }
    }

    /// The changes of the fleet that are held back for want of these.
    #[must_use]
    pub fn lacking<'p>(&self, plan: &'p super::Plan) -> Vec<&'p FleetChange> {
        plan.fleet_changes.iter().filter(|change| change.is_held_back() && !self.covers(change)).collect()
    }
}

/// The changes, with a hazard for each.
pub(super) fn plan(look: &Look<'_>, tenants: &[TenantPlan]) -> (Vec<FleetChange>, Vec<Hazard>) {
    let of = look.registered().filter(|(_, row)| row.state == State::Active).count();
    let planned: BTreeMap<&TenantKey, &TenantPlan> =
        tenants.iter().filter(|plan| plan.has_work()).map(|plan| (&plan.tenant, plan)).collect();
    let mut found: BTreeMap<FleetKey, BTreeMap<(String, String), usize>> = BTreeMap::new();
    for (key, row) in look.registered().filter(|(_, row)| row.state == State::Active) {
        let Some(tenant) = look.desired.tenants.get(key) else { continue };
        let one = One { look, tenant, row };
        let mut differs = Vec::new();
        if let Some(plan) = planned.get(key) {
            differs.extend(one.names());
            differs.extend(one.secret());
            differs.extend(one.policy());
            differs.extend(renamed_history(plan));
        }
        differs.extend(one.shared_schemas(planned.contains_key(key)));
        for (key, before, after) in differs {
            *found.entry(key).or_default().entry((before, after)).or_default() += 1;
        }
    }
    let changes = found.into_iter().filter_map(|(key, pairs)| {
        let tenants = pairs.values().sum();
        let ((before, after), alike) = pairs.into_iter().max_by_key(|(_, count)| *count)?;
        // What differs from tenant to tenant is no one key's doing.
        let many = alike > 1 || key == FleetKey::HistoryTable;
        many.then_some(FleetChange { key, before, after, tenants, of })
    });
    let changes: Vec<FleetChange> = changes.collect();
    let hazards = changes.iter().map(FleetChange::hazard).collect();
    (changes, hazards)
}

type Difference = (FleetKey, String, String);

fn differs(key: FleetKey, before: impl Into<String>, after: impl Into<String>) -> Option<Difference> {
    let (before, after) = (before.into(), after.into());
    (before != after).then_some((key, before, after))
}

fn renamed_history(plan: &TenantPlan) -> Option<Difference> {
    let renamed = plan.changes.iter().find(|change| change.kind == Kind::RenameHistory && !change.sql.is_empty())?;
    differs(FleetKey::HistoryTable, renamed.before.clone()?, renamed.after.clone()?)
}

/// With "{tenant}" where the key stands, as a word of its own: many a key is a part of another word.
fn templated(text: &str, key: &str) -> String {
    let ends = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let mut template = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(key) {
        let (before, after) = (&rest[..at], &rest[at + key.len()..]);
        let is_word = ends(before.chars().next_back().or(template.chars().next_back())) && ends(after.chars().next());
        template.push_str(before);
        template.push_str(if is_word { "{tenant}" } else { key });
        rest = after;
    }
    template + rest
}

/// A tenant as the registry remembers it, and as it is declared.
struct One<'a> {
    look: &'a Look<'a>,
    tenant: &'a Tenant,
    row: &'a Registered,
}

impl One<'_> {
    /// The name as a template would give it.
    fn template(&self, name: &str) -> String {
        templated(name, &self.tenant.key.fill("{tenant}"))
    }

    fn names(&self) -> Vec<Difference> {
        let (row, tenant) = (self.row, self.tenant);
        let pairs =
            [(FleetKey::Schema, &row.schema, &tenant.schema), (FleetKey::Username, &row.username, &tenant.username)];
        let owner = (row.access == tenant.access).then_some((FleetKey::Owner, row.owner.as_str(), tenant.owner()));
        let owner = owner.filter(|_| tenant.owner() != tenant.username);
        let pairs = pairs.into_iter().map(|(key, before, after)| (key, before.as_str(), after.as_str())).chain(owner);
        let changed = pairs.filter(|(_, before, after)| before != after);
        changed.filter_map(|(key, before, after)| differs(key, self.template(before), self.template(after))).collect()
    }

    fn secret(&self) -> Option<Difference> {
        let (policy, secret) = (&self.look.desired.secrets, &self.row.secret);
        secret.version.as_ref()?;
        let path = |path: &str| templated(path, self.tenant.key.as_str());
        if secret.store != policy.store.as_str() {
            return differs(FleetKey::Store, secret.store.as_str(), policy.store.as_str());
        }
        if let Some(place) = secret.place.as_ref().filter(|place| **place != policy.place()) {
            let key = if policy.store == StoreKind::File { FleetKey::SecretDir } else { FleetKey::VaultMount };
            return differs(key, place.as_str(), policy.place());
        }
        if secret.path != self.tenant.secret_path {
            return differs(FleetKey::SecretPath, path(&secret.path), path(&self.tenant.secret_path));
        }
        self.advertised()
    }

    /// Where clients are sent. One who says that the database has moved has said that too.
    fn advertised(&self) -> Option<Difference> {
        let observed = self.look.observed;
        if observed.registry.as_ref().is_some_and(|registry| registry.came_from.is_some()) {
            return None;
        }
        let before = &self.row.secret.fields;
        let after =
            self.look.desired.secret_fields(self.tenant, &observed.server, &observed.database.name, Some(before));
        let place = |host: &str, port: u16| format!("{host}:{port}");
        differs(FleetKey::Advertise, place(&before.host, before.port), place(&after.host, after.port))
    }

    /// Who is looked after better than before is in no danger.
    fn policy(&self) -> Vec<Difference> {
        let (row, tenant) = (self.row, self.tenant);
        let given = (row.password_source.as_str(), tenant.password_source().as_str());
        let drops = tenant.on_remove == OnRemove::Drop;
        let all = [
            differs(FleetKey::Access, row.access.as_str(), tenant.access.as_str()),
            differs(FleetKey::OnRemove, row.on_remove.as_str(), tenant.on_remove.as_str()).filter(|_| drops),
            differs(FleetKey::Protected, row.protected.to_string(), tenant.protected.to_string())
                .filter(|_| row.protected),
            differs(FleetKey::PasswordFrom, given.0, given.1),
        ];
        all.into_iter().flatten().collect()
    }

    /// By the search_path that its role has. A schema that is shared no more is taken from every tenant, planned or not.
    fn shared_schemas(&self, is_planned: bool) -> Option<Difference> {
        let role = self.look.observed.roles.get(&self.row.username)?;
        let path = split_identifiers(role.settings.get("search_path")?);
        let (own, before) = path.split_first()?;
        let after = &self.look.desired.shared_schemas;
        let loses = before.iter().any(|schema| !after.contains(schema));
        if *own != self.row.schema || !(is_planned || loses) {
            return None;
        }
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        differs(FleetKey::SharedSchemas, list(before), list(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: FleetKey, tenants: usize, of: usize) -> FleetChange {
        FleetChange { key, before: "a".into(), after: "b".into(), tenants, of }
    }

    #[test]
    fn what_changes_more_than_ten_tenants_and_a_tenth_of_the_fleet_is_held_back() {
        for (tenants, of, held_back) in [(10, 10, false), (11, 11, true), (11, 110, false), (12, 110, true)] {
            assert_eq!(change(FleetKey::SecretPath, tenants, of).is_held_back(), held_back, "{tenants} of {of}");
        }
        assert!(change(FleetKey::HistoryTable, 1, 10_000).is_held_back());
    }

    #[test]
    fn a_key_is_a_placeholder_where_it_is_a_word() {
        assert_eq!(templated("tenant_a", "a"), "tenant_{tenant}");
        assert_eq!(templated("tenants/a-b/db", "a-b"), "tenants/{tenant}/db");
        assert_eq!(templated("acme2", "acme"), "acme2");
    }

    #[test]
    fn each_key_is_read_back_from_its_name() {
        for key in FleetKey::ALL.into_iter().filter(|key| *key != FleetKey::HistoryTable) {
            assert_eq!(key.as_str().parse(), Ok(key));
        }
        assert!("migrations.table".parse::<FleetKey>().is_err(), "that one has a flag of its own");
    }
}
