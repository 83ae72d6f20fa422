//! Names: a tenant's key, and which schema and role names are refused.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// NAMEDATALEN - 1: PostgreSQL cuts longer identifiers silently, so they are refused
/// (manual, "Lexical Structure", Identifiers and Key Words).
pub const MAX_NAME_BYTES: usize = 63;

/// A tenant's key in `tenants.toml`: `[a-z][a-z0-9_-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct TenantKey(String);

/// Why a name is refused; the text is a fragment that follows the name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "a tenant's key starts with a to z and continues with a to z, 0 to 9, \"_\" or \"-\", 63 characters at most"
    )]
    Key,
    #[error("is empty")]
    Empty,
    #[error("holds a NUL character, which PostgreSQL cannot store")]
    Nul,
    #[error("is {0} bytes long; PostgreSQL cuts names silently at 63 bytes")]
    TooLong(usize),
    #[error("begins with \"pg_\", which PostgreSQL reserves")]
    PgPrefix,
    #[error("is reserved")]
    Reserved,
}

impl TenantKey {
    /// # Errors
    /// [`NameError::Key`] when the text is not `[a-z][a-z0-9_-]{0,62}`.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let well_formed = text.len() <= MAX_NAME_BYTES
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if well_formed { Ok(Self(text)) } else { Err(NameError::Key) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `{tenant}` in a template of `[defaults]` stands for the key, with "-" as "_".
    #[must_use]
    pub fn fill(&self, template: &str) -> String {
        template.replace("{tenant}", &self.0.replace('-', "_"))
    }
}

impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TenantKey {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<TenantKey> for String {
    fn from(key: TenantKey) -> Self {
        key.0
    }
}

fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.contains('\0') {
        return Err(NameError::Nul);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(name.len()));
    }
    if name.starts_with("pg_") {
        return Err(NameError::PgPrefix);
    }
    Ok(())
}

/// # Errors
/// When PostgreSQL could not store the name, or it is one of `pg_*`, `information_schema`, `public`, `tenantry`.
pub fn check_schema_name(name: &str) -> Result<(), NameError> {
    check_name(name)?;
    if ["information_schema", "public", "tenantry"].contains(&name) { Err(NameError::Reserved) } else { Ok(()) }
}

/// # Errors
/// As [`check_schema_name`]; PostgreSQL also reserves the role name `none`.
pub fn check_role_name(name: &str) -> Result<(), NameError> {
    check_schema_name(name)?;
    if name == "none" { Err(NameError::Reserved) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_lower_case_and_fills_templates_with_underscores() {
        for bad in ["", "Acme", "1acme", "-a", "ac me", "ünï", &"a".repeat(64)] {
            assert_eq!(TenantKey::new(bad), Err(NameError::Key), "{bad:?}");
        }
        assert_eq!(TenantKey::new("big-corp").unwrap().fill("tenant_{tenant}"), "tenant_big_corp");
        assert!(TenantKey::new("a".repeat(63)).is_ok());
    }

    #[test]
    fn names_that_postgresql_would_cut_or_keeps_for_itself_are_refused() {
        assert_eq!(check_schema_name(&"ü".repeat(32)), Err(NameError::TooLong(64)));
        assert_eq!(check_schema_name("pg_temp"), Err(NameError::PgPrefix));
        assert_eq!(check_role_name("none"), Err(NameError::Reserved));
        assert_eq!(check_schema_name("a\0b"), Err(NameError::Nul));
        assert_eq!(check_role_name(&"a".repeat(63)), Ok(()));
        for fine in ["Bobby\"; DROP SCHEMA public; --", "select", "Ünïcode", " "] {
            assert_eq!(check_role_name(fine), Ok(()), "{fine}");
        }
    }
}
