//! Who logs in for a tenant, whom its secret names now, and whom it is to name.

use crate::core::model::{Observed, Registered, Rotation, SecretState, State, Tenant};

/// Who logs in for a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Logins {
    /// The role that its secret is to name.
    pub login: String,
    /// The role of this tenant's that it names now: in the store, as far as that was read, or as it was written last.
    pub named: Option<String>,
    /// The secret names one that may log in, and is to name another: it is written once that one may too.
    pub switches: bool,
    /// The two users that are there, or are to be.
    pub users: Vec<String>,
}

impl Logins {
    /// As it is declared.
    pub fn of(observed: &Observed, tenant: &Tenant, registered: Option<&Registered>) -> Self {
        let users = users(tenant, registered);
        let named = named(observed, tenant, registered, &users);
        let login = tenant.login(named.as_deref());
        Self::from(observed, tenant, registered, (login, named, users))
    }

    /// With the next password: of the other of two users.
    pub fn next(observed: &Observed, tenant: &Tenant, registered: Option<&Registered>) -> Self {
        let users = users(tenant, registered);
        let named = named(observed, tenant, registered, &users);
        let idle = tenant.login_users().into_iter().find(|user| Some(user) != named.as_ref());
        let login = idle.unwrap_or_else(|| tenant.username.clone());
        Self::from(observed, tenant, registered, (login, named, users))
    }

    fn from(
        observed: &Observed,
        tenant: &Tenant,
        registered: Option<&Registered>,
        (login, named, users): (String, Option<String>, Vec<String>),
    ) -> Self {
        let is_active = registered.is_some_and(|row| row.state == State::Active);
        let is_there = matches!(observed.secrets.get(&tenant.secret_path), Some(SecretState::Ours { .. }));
        let is_another = named.as_ref().is_some_and(|named| *named != login);
        Self { switches: !users.is_empty() && is_active && is_there && is_another, login, named, users }
    }
}

fn users(tenant: &Tenant, registered: Option<&Registered>) -> Vec<String> {
    let mut users = tenant.login_users();
    // As they were registered, until they are dropped.
    if tenant.rotation == Rotation::Single {
        users.extend(registered.into_iter().flat_map(Registered::login_users));
    }
    users
}

/// What a secret says of somebody else, because a person wrote it there, counts for nothing.
fn named(observed: &Observed, tenant: &Tenant, registered: Option<&Registered>, users: &[String]) -> Option<String> {
    let said = match observed.secrets.get(&tenant.secret_path) {
        Some(SecretState::Ours { contents: Some(contents), .. }) => Some(&contents.fields.username),
        _ => None,
    };
    let is_its = |name: &&String| {
        **name == tenant.username || registered.is_some_and(|row| row.username == **name) || users.contains(name)
    };
    let remembered = registered.filter(|row| row.secret.version.is_some()).map(|row| &row.secret.fields.username);
    said.filter(is_its).or(remembered).cloned()
}

/// Whom the tenant's secret names now, or is to name.
#[must_use]
pub fn secrets_user(observed: &Observed, tenant: &Tenant) -> String {
    let registered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
    let logins = Logins::of(observed, tenant, registered);
    if logins.users.is_empty() { logins.login } else { logins.named.unwrap_or(logins.login) }
}
