//! What the secret store has at the tenants' paths.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use crate::core::model::secret::{Mark, Secret, SecretHead, fault_of_password};
use crate::core::model::{
    Belongs, Desired, Home, Observed, Registered, SecretContents, SecretState, State, TenantKey, Unseen,
};
use crate::engine::error::{Context, Error};
use crate::engine::secrets::{Found, SecretError, SecretStore};
use crate::engine::workers::each;

/// Requests under way at once, where secrets must be read one by one.
const AT_ONCE: usize = 8;

/// A path, whose it should be, and what the last apply left there.
struct Expected<'a> {
    tenant: &'a TenantKey,
    path: &'a str,
    registered: Option<&'a Registered>,
    given: Option<&'a secrecy::SecretString>,
}

/// What a secret must name to be this database's.
struct Here<'a> {
    database: &'a str,
    cluster: &'a str,
    home: Option<&'a Home>,
}

/// What may not be read is as the last apply left it, as far as a plan goes.
pub(super) fn read(store: &dyn SecretStore, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    let expected = expected(desired, observed);
    let paths: Vec<String> = expected.keys().map(|path| (*path).to_owned()).collect();
    let here = Here {
        database: &observed.database.name,
        cluster: &observed.server.system_identifier,
        home: observed.registry.as_ref().and_then(|registry| registry.home.as_ref()),
    };
    let (secrets, unseen) = match look(store, &expected, &paths, &here) {
        Err(Error::Secrets { source, .. }) if source.is_denied() => {
            (paths.into_iter().map(|path| (path, SecretState::Unseen)).collect(), Some(unseen("the secrets", &source)))
        }
        found => found?,
    };
    observed.secrets = secrets;
    observed.unseen.extend(unseen);
    Ok(())
}

pub(super) fn unseen(what: &str, error: &SecretError) -> Unseen {
    Unseen { what: format!("{what}: {error}"), hint: error.hint() }
}

type Secrets = BTreeMap<String, SecretState>;

fn look(
    store: &dyn SecretStore,
    expected: &BTreeMap<&str, Expected<'_>>,
    paths: &[String],
    here: &Here<'_>,
) -> Result<(Secrets, Option<Unseen>), Error> {
    let doing = "looking at the secrets";
    if store.reads_whole().doing(doing)? {
        return read_each(store, &expected.values().collect::<Vec<_>>(), here);
    }
    let heads = store.heads(paths).doing(doing)?;
    let mut states = BTreeMap::new();
    let mut to_read = Vec::new();
    for (path, head) in heads {
        let Some(expected) = expected.get(path.as_str()) else { continue };
        if must_read(&head, expected) {
            to_read.push(expected);
        } else {
            states.insert(path, judge(&head, expected, here, None, None));
        }
    }
    let (found, unseen) = read_each(store, &to_read, here)?;
    states.extend(found);
    Ok((states, unseen))
}

fn expected<'a>(desired: &'a Desired, observed: &'a Observed) -> BTreeMap<&'a str, Expected<'a>> {
    let mut expected = BTreeMap::new();
    let rows = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let store = desired.secrets.store.as_str();
    // A retained tenant has none, unless deleting it failed: then the registry still knows its version.
    let has_secret = |row: &Registered| row.state != State::Retained || row.secret.version.is_some();
    // First, so that a path which is in use again is judged for whom it serves.
    let place = desired.secrets.place();
    for (tenant, row) in rows.clone() {
        for former in row.former_secrets.iter().filter(|former| former.store == store && former.place == place) {
            let path = former.path.as_str();
            expected.insert(path, Expected { tenant, path, registered: None, given: None });
        }
    }
    for (tenant, row) in rows.filter(|(_, row)| row.secret.store == store && has_secret(row)) {
        let path = row.secret.path.as_str();
        expected.insert(path, Expected { tenant, path, registered: Some(row), given: None });
    }
    for (key, tenant) in &desired.tenants {
        let registered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        let path = tenant.secret_path.as_str();
        let registered = registered.filter(|row| row.secret.path == path && row.secret.store == store);
        expected.insert(path, Expected { tenant: key, path, registered, given: tenant.password.as_ref() });
    }
    expected
}

/// The head tells enough, unless somebody wrote since, or the password is given and must be compared.
fn must_read(head: &SecretHead, expected: &Expected<'_>) -> bool {
    let ours = head.managed_by.as_deref() == Some(Secret::MANAGED_BY);
    let known = expected.registered.is_some_and(|row| row.secret.version.as_deref() == Some(&head.version));
    !ours || !known || expected.given.is_some()
}

fn read_each(
    store: &dyn SecretStore,
    paths: &[&Expected<'_>],
    here: &Here<'_>,
) -> Result<(Secrets, Option<Unseen>), Error> {
    let found = each(paths, AT_ONCE, None, |expected| {
        match read_one(store, expected).doing(format!("reading the secret of {}", expected.tenant)) {
            Ok((Found::Absent, _)) => Ok((None, None)),
            Ok((Found::Readable(head, secret), remembered)) => {
                Ok((Some(judge(&head, expected, here, Some(&secret), remembered.as_ref())), None))
            }
            Ok((Found::Foreign { reason, .. }, _)) => Ok((Some(SecretState::Foreign(reason)), None)),
            Err(Error::Secrets { source, .. }) if source.is_denied() => {
                Ok((Some(SecretState::Unseen), Some(unseen("the secrets", &source))))
            }
            Err(error) => Err(error),
        }
    })?;
    let (mut states, mut first) = (Secrets::new(), None);
    for (expected, (state, unseen)) in paths.iter().zip(found) {
        states.extend(state.map(|state| (expected.path.to_owned(), state)));
        first = first.or(unseen);
    }
    Ok((states, first))
}

/// The secret, and the version that the registry remembers where the store still has it: somebody who adds a key of their own
/// makes a new version, and changes no password.
fn read_one(store: &dyn SecretStore, expected: &Expected<'_>) -> Result<(Found, Option<Secret>), SecretError> {
    let found = store.read(expected.path)?;
    let version = expected.registered.and_then(|row| row.secret.version.as_deref());
    let remembered = match (&found, version) {
        (Found::Readable(head, _), Some(version)) if head.version != version => {
            store.read_version(expected.path, version)?
        }
        _ => None,
    };
    Ok((found, remembered))
}

/// Ours, or belongs to someone else: a secret that names another tenant or database is not ours.
fn judge(
    head: &SecretHead,
    expected: &Expected<'_>,
    here: &Here<'_>,
    secret: Option<&Secret>,
    remembered: Option<&Secret>,
) -> SecretState {
    let tenant = secret.map(|s| s.tenant.as_str()).or(head.tenant.as_deref());
    let named = secret.map(|s| s.fields.database.as_str()).or(head.database.as_deref());
    if let Some(other) = tenant.filter(|name| *name != expected.tenant.as_str()) {
        return SecretState::Foreign(format!("it names the tenant {other:?}"));
    }
    if let Some(other) = named.filter(|name| *name != here.database) {
        return SecretState::Foreign(format!("it names the database {other:?}"));
    }
    if tenant.is_none() || named.is_none() {
        return SecretState::Foreign("it names no tenant and database of ours".into());
    }
    let contents = secret.map(|secret| SecretContents {
        fields: secret.fields.clone(),
        password_is_remembered_one: remembered
            .map(|remembered| remembered.password.expose_secret() == secret.password.expose_secret()),
        url_says_the_same: secret.url_says_the_same(),
        unusable: fault_of_password(secret.password.expose_secret()),
        password_is_given_one: expected.given.map(|given| given.expose_secret() == secret.password.expose_secret()),
    });
    let marked = head.managed_by.as_deref() == Some(Secret::MANAGED_BY);
    let belongs = belongs(&head.mark, here);
    SecretState::Ours { version: head.version.clone(), created: head.created, marked, belongs, contents }
}

/// A registry that has no identity yet has marked none.
fn belongs(mark: &Mark, here: &Here<'_>) -> Belongs {
    let Some(fleet) = &mark.fleet else { return Belongs::Unmarked };
    match here.home {
        Some(home) if home.fleet == *fleet => match (&mark.cluster, &mark.run) {
            (Some(cluster), _) if cluster != here.cluster => Belongs::AnotherCluster(cluster.clone()),
            (_, Some(run)) if !home.runs.contains(run) => Belongs::AnotherCopy(run.clone()),
            _ => Belongs::Here,
        },
        Some(home) if home.former_fleets.contains(fleet) => Belongs::Former,
        _ => Belongs::AnotherFleet(Box::new(mark.clone())),
    }
}
