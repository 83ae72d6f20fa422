//! A change that one key of tenants.toml makes to many tenants at once.

use std::fmt;
use std::str::FromStr;

use super::hazard::{Hazard, HazardKind};

/// Up to so many tenants, or up to this part of the fleet, a change is one that a person reads tenant by tenant: it needs no
/// word of its own. Above both, apply needs a consent.
const FEW: usize = 10;
const PERCENT: usize = 10;

/// A key of tenants.toml that can change every tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetKey {
    SharedSchemas,
    Advertise,
    /// Every migration would run again: wants a consent, whatever the number of tenants.
    HistoryTable,
    Store,
    SecretPath,
    SecretDir,
    VaultMount,
    VaultAccess,
    Schema,
    Username,
    Owner,
    Access,
    OnRemove,
    Protected,
    Suspended,
    PasswordFrom,
}

impl FleetKey {
    pub const ALL: [Self; 16] = [
        Self::SharedSchemas,
        Self::Advertise,
        Self::HistoryTable,
        Self::Store,
        Self::SecretPath,
        Self::SecretDir,
        Self::VaultMount,
        Self::VaultAccess,
        Self::Schema,
        Self::Username,
        Self::Owner,
        Self::Access,
        Self::OnRemove,
        Self::Protected,
        Self::Suspended,
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
            Self::VaultAccess => "vault.access",
            Self::Schema => "defaults.schema",
            Self::Username => "defaults.username",
            Self::Owner => "defaults.owner",
            Self::Access => "defaults.access",
            Self::OnRemove => "defaults.on_remove",
            Self::Protected => "defaults.protected",
            Self::Suspended => "defaults.suspended",
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
        found.ok_or_else(|| format!("{text:?} is not a key that --allow-fleet-change accepts"))
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
    /// The one class that all of them are of.
    pub class: Option<String>,
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

    pub(super) fn hazard(&self) -> Hazard {
        let held_back = if self.is_held_back() { format!("; apply needs {}", self.flag()) } else { String::new() };
        Hazard { kind: HazardKind::WholeFleet, detail: format!("{self}{held_back}") }
    }
}

impl fmt::Display for FleetChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after, tenants, of, class } = self;
        write!(f, "{key} {before} \u{2192} {after}: {tenants} of {of} tenants")?;
        class.iter().try_for_each(|class| write!(f, ", all of class {class}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(key: FleetKey, tenants: usize, of: usize) -> FleetChange {
        FleetChange { key, before: "a".into(), after: "b".into(), tenants, of, class: None }
    }

    #[test]
    fn what_changes_more_than_ten_tenants_and_a_tenth_of_the_fleet_is_held_back() {
        for (tenants, of, held_back) in [(10, 10, false), (11, 11, true), (11, 110, false), (12, 110, true)] {
            assert_eq!(change(FleetKey::SecretPath, tenants, of).is_held_back(), held_back, "{tenants} of {of}");
        }
        assert!(change(FleetKey::HistoryTable, 1, 10_000).is_held_back());
    }

    #[test]
    fn each_key_is_read_back_from_its_name() {
        for key in FleetKey::ALL.into_iter().filter(|key| *key != FleetKey::HistoryTable) {
            assert_eq!(key.as_str().parse(), Ok(key));
        }
        assert!("migrations.table".parse::<FleetKey>().is_err(), "that one has a flag of its own");
    }
}
