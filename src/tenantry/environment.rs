//! Environment variables, as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// What [`Tenantry::open`](super::Tenantry::open) may know of the caller's environment, by name: what `${…}` in tenants.toml
/// stands for, `TENANTRY_*`, libpq's `PG*` and `HOME`, `VAULT_*` and `BAO_*`, and what pg_dump and pg_restore are found and started
/// with, such as `PATH`. Nothing else is looked up.
///
/// `std::env::vars().collect()` is the process's own; [`Environment::default`] is empty.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
    stands_in: bool,
}

impl Environment {
    /// The variable of this name; `None`: it is not set, or is no text.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let given = self.variables.get(name).and_then(|value| value.clone().into_string().ok());
        given.or_else(|| self.stands_in.then(|| format!("sandbox-{name}")))
    }

    /// The same, whatever its bytes: a path need not be text.
    pub(super) fn raw(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    /// With a value made up for every variable that is not set: credentials of production have no business in a sandbox.
    pub(super) fn with_stand_ins(&self) -> Self {
        Self { stands_in: true, ..self.clone() }
    }
}

impl<K: Into<String>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(variables: T) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, stands_in: false }
    }
}

/// Only the names: a value may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
