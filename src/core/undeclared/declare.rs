//! Each of the schemas with its key and its guess.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Declaration, Undeclared, users};
use super::guess::Guess;
use super::keys::Keys;
use crate::core::model::{Desired, Observed, TenantKey};

impl Undeclared {
    /// The roles that there is more to know of: who owns the schemas or may use them, and who would by `[defaults]`.
    #[must_use]
    pub fn role_names(&self, desired: &Desired, observed: &Observed) -> Vec<String> {
        let mut names: BTreeSet<String> = self.schemas.values().flat_map(users).map(str::to_owned).collect();
        names.extend(self.keys(desired, observed).into_values().map(|key| key.fill(&desired.defaults.username)));
        names.into_iter().filter(|name| !observed.roles.contains_key(name)).collect()
    }

    /// Those whose schema is meant, by its name.
    #[must_use]
    pub fn declare(&self, desired: &Desired, observed: &Observed, is_meant: &dyn Fn(&str) -> bool) -> Vec<Declaration> {
        let guess = Guess::new(desired, observed, self);
        let keys = self.keys(desired, observed).into_iter().filter(|(schema, _)| is_meant(schema));
        keys.filter_map(|(schema, key)| guess.declaration(schema, key)).collect()
    }

    fn keys(&self, desired: &Desired, observed: &Observed) -> BTreeMap<&str, TenantKey> {
        Keys::assign(desired, observed, self.schemas.keys().map(String::as_str))
    }
}
