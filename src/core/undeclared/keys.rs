//! The key of a tenant that has none yet, from the name of its schema.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::model::{Defaults, Desired, Observed, TenantKey, check_role_name};

/// A key as long as this leaves room for what templates add.
const LONG: usize = 40;

pub(super) struct Keys<'a> {
    defaults: &'a Defaults,
    /// As templates spell them: "a-b" and "a_b" would have the same names.
    taken: BTreeSet<String>,
}

impl<'a> Keys<'a> {
    /// By schema. Those that the template of `[defaults]` would give have the first choice.
    pub fn assign<'s>(
        desired: &'a Desired,
        observed: &Observed,
        schemas: impl Iterator<Item = &'s str>,
    ) -> BTreeMap<&'s str, TenantKey> {
        let registered = observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        let taken = desired.tenants.keys().chain(registered).map(|key| key.fill("{tenant}")).collect();
        let mut keys = Self { defaults: &desired.defaults, taken };
        let mut assigned = BTreeMap::new();
        let mut others = Vec::new();
        for schema in schemas {
            match keys.by_template(schema).filter(|key| keys.take(key)) {
                Some(key) => drop(assigned.insert(schema, key)),
                None => others.push(schema),
            }
        }
        assigned.extend(others.into_iter().filter_map(|schema| Some((schema, keys.derived(schema)?))));
        assigned
    }

    fn take(&mut self, key: &TenantKey) -> bool {
        let names = [&self.defaults.username, &self.defaults.owner];
        names.into_iter().all(|template| check_role_name(&key.fill(template)).is_ok())
            && self.taken.insert(key.fill("{tenant}"))
    }

    fn by_template(&self, schema: &str) -> Option<TenantKey> {
        let (before, after) = self.defaults.schema.split_once("{tenant}")?;
        let key = TenantKey::new(schema.strip_prefix(before)?.strip_suffix(after)?).ok()?;
        (key.fill(&self.defaults.schema) == schema).then_some(key)
    }

    /// The name in the letters of a key, with a number where there is another.
    fn derived(&mut self, schema: &str) -> Option<TenantKey> {
        let lower = schema.to_ascii_lowercase();
        let letter = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '_' };
        let key: String = lower.chars().map(letter).take(LONG).collect();
        let key = key.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('_');
        let key = if key.is_empty() { "tenant" } else { key };
        let numbered = (2..).map(|n: u32| format!("{key}_{n}"));
        let candidates = std::iter::once(key.to_owned()).chain(numbered).take(self.taken.len() + 2);
        candidates.filter_map(|key| TenantKey::new(key).ok()).find(|key| self.take(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::config;
    use crate::core::migrations::MigrationSet;

    fn keys(toml: &str, schemas: &[&str]) -> Vec<String> {
        let desired = config::parse("tenants.toml", toml, &|_| None).unwrap();
        let desired = desired.with_migrations(MigrationSet::default());
        let keys = Keys::assign(&desired, &Observed::default(), schemas.iter().copied());
        keys.iter().map(|(schema, key)| format!("{schema}: {key}")).collect()
    }

    #[test]
    fn a_schema_has_the_key_that_the_template_would_give_or_one_of_its_own() {
        let schemas = ["acme", "tenant_acme", "tenant_b_c", "Big Corp", "1", "tenant_"];
        let found = keys("[tenants]\nb-c = {}", &schemas);
        // "b_c" would have the names that "b-c" has.
        let expected = [
            "1: tenant",
            "Big Corp: big_corp",
            "acme: acme_2",
            "tenant_: tenant_2",
            "tenant_acme: acme",
            "tenant_b_c: tenant_b_c",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_template_without_the_key_fits_nothing() {
        assert_eq!(
            keys("[defaults]\nschema = \"{tenant}\"\n[tenants]", &["acme", "Acme"]),
            ["Acme: acme_2", "acme: acme"]
        );
    }
}
