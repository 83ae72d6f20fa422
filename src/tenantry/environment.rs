//! Environment variables, as a value.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// What [`Tenantry::open`](super::Tenantry::open) may know of the caller's environment, by name: what `${…}` in tenants.toml
/// stands for, `TENANTRY_*`, libpq's `PG*` and `HOME`, `VAULT_*` and `BAO_*`, and what pg_dump and pg_restore are found and started
/// with, such as `PATH`. Nothing else is looked up.
///
/// `std::env::vars_os().collect()` is the process's own; [`Environment::default`] is empty.
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

    /// All of them, for a program that is started.
    pub(super) fn all(&self) -> impl Iterator<Item = (String, OsString)> + use<> {
        self.variables.clone().into_iter()
    }

    /// With a value made up for every variable that is not set: credentials of production have no business in a sandbox.
    pub(super) fn with_stand_ins(&self) -> Self {
        Self { stands_in: true, ..self.clone() }
    }
}

/// A name that is no text is left out: nobody asks for it.
impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(variables: T) -> Self {
        let named = |(name, value): (K, V)| Some((name.into().into_string().ok()?, value.into()));
        Self { variables: variables.into_iter().filter_map(named).collect(), stands_in: false }
    }
}

/// Only the names: a value may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use crate::tenantry::environment::{Environment, OsString};

    #[test]
    fn what_is_no_text_is_kept_as_a_path_and_hides_nothing_else() {
        let odd = || OsString::from_vec(b"/opt/\xff/bin:/usr/bin".to_vec());
        let given = [("PATH".into(), odd()), (odd(), "x".into()), ("HOME".into(), OsString::from("/root"))];
        let env: Environment = given.into_iter().collect();
        assert_eq!((env.raw("PATH"), env.get("PATH")), (Some(odd()), None));
        assert_eq!(env.get("HOME").as_deref(), Some("/root"));
        assert_eq!(format!("{env:?}"), r#"{"HOME", "PATH"}"#);
    }
}
