//! The way back after somebody dropped schema tenantry: SQL that registers again what tenantry made, for a person to run.
//!
//! Printed, and not carried out: to be registered is to be dropped one day, so a person looks at the list first.

use std::collections::BTreeSet;
use std::fmt::Write;

use refinery_core::Migration;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};

use super::embedded::{self, HISTORY};
use super::guard;
use super::upgrade::closing;
use crate::core::model::{
    Belongs, Desired, Observed, RegisteredSecret, Registry, Rotation, SecretState, SslMode, State, Tenant, TenantKey,
    literal,
};
use crate::core::plan::group_role;
use crate::core::words::few;
use crate::engine::error::Error;

/// Keeps what the Runner would execute.
#[derive(Default)]
struct Written(Vec<String>);

impl RefineryTransaction for Written {
    type Error = std::convert::Infallible;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Self::Error> {
        self.0.extend(queries.map(str::to_owned));
        Ok(self.0.len())
    }
}

impl Query<Vec<Migration>> for Written {
    fn query(&mut self, _: &str) -> Result<Vec<Migration>, Self::Error> {
        Ok(Vec::new())
    }
}

impl Migrate for Written {}

/// What is to be typed, and about whom.
#[derive(Debug, Default)]
pub struct Recovery {
    /// The tenants that it registers.
    pub tenants: Vec<TenantKey>,
    /// Those whose names are there, and that are not certainly tenantry's, with why.
    pub left_out: Vec<(TenantKey, String)>,
    /// What a person must look at before the script is run.
    pub warnings: Vec<String>,
    /// One transaction; empty when it would register nobody.
    pub sql: String,
}

/// The SQL that registers those of the declared tenants that are there and that no row names.
///
/// # Errors
/// When the registry is of an older version, whose tables are others.
pub fn recover(
    desired: &Desired,
    observed: &Observed,
    selects: &dyn Fn(&TenantKey) -> bool,
) -> Result<Recovery, Error> {
    if let Some((message, hint)) = observed.registry.as_ref().and_then(Registry::is_older) {
        return Err(Error::refused(message, hint));
    }
    let is_registered = |key: &TenantKey| observed.registry.as_ref().is_some_and(|r| r.tenants.contains_key(key));
    let missing = desired.tenants.values().filter(|tenant| selects(&tenant.key) && !is_registered(&tenant.key));
    let mut recovery = Recovery::default();
    let mut rows = Vec::new();
    // What is not there at all, apply makes.
    let is_there = |tenant: &&Tenant| {
        observed.schemas.contains_key(&tenant.schema) || observed.roles.contains_key(&tenant.username)
    };
    for tenant in missing.filter(is_there) {
        match doubt(observed, tenant) {
            Some(why) => recovery.left_out.push((tenant.key.clone(), why)),
            None => {
                rows.push(row(desired, observed, tenant));
                recovery.tenants.push(tenant.key.clone());
            }
        }
    }
    if !rows.is_empty() {
        let secrets = recovery.tenants.iter().map(|key| &desired.tenants[key].secret_path);
        let elsewhere = elsewhere(desired, observed, &recovery.tenants);
        let secrets = secrets.filter(|_| elsewhere.is_none());
        let marks = marks(observed, secrets.filter_map(|path| observed.secrets.get(path)));
        recovery.warnings.extend(elsewhere);
        recovery.warnings.extend(without_secret(desired, observed, &recovery.tenants));
        recovery.sql = script(observed, &recovery, &rows, &marks)?;
    }
    Ok(recovery)
}

/// Why it may be belongs to someone else: only tenantry puts roles into its group role, and only into that of the one database.
fn doubt(observed: &Observed, tenant: &Tenant) -> Option<String> {
    let group = group_role(&observed.database.name);
    let (user, owner) = (&tenant.username, tenant.owner());
    let schema = match observed.schemas.get(&tenant.schema) {
        None => return Some(format!("schema {} is not there", tenant.schema)),
        Some(schema) => schema,
    };
    if schema.owner != owner {
        return Some(format!("schema {} belongs to {:?}, not to {owner:?}", tenant.schema, schema.owner));
    }
    for role in [user.as_str(), owner] {
        match observed.roles.get(role) {
            None => return Some(format!("role {role} does not exist")),
            Some(found) if !found.is_member_of(&group) => {
                return Some(format!("role {role} is not a member of {group}, so it is not of tenantry's making here"));
            }
            Some(_) => {}
        }
    }
    let rows = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let mut others = rows.filter(|(_, row)| row.state != State::Removed);
    if let Some((other, _)) = others.find(|(_, row)| row.schema == tenant.schema || row.username == *user) {
        return Some(format!("its schema or its username is tenant {other}'s"));
    }
    match observed.secrets.get(&tenant.secret_path) {
        Some(SecretState::Foreign(why)) => Some(format!("its secret belongs to someone else: {why}")),
        Some(SecretState::Unseen) => Some("its secret may not be read, and would be written anew".into()),
        Some(SecretState::Ours { .. }) | None => None,
    }
}

/// A version that no store has or can be asked for: so the secret counts as missing, as one that was there and is gone.
const GONE: &str = "lost";

fn without_secret(desired: &Desired, observed: &Observed, tenants: &[TenantKey]) -> Option<String> {
    let lacks = |key: &&TenantKey| !observed.secrets.contains_key(&desired.tenants[*key].secret_path);
    let lacking: Vec<&str> = tenants.iter().filter(lacks).map(TenantKey::as_str).collect();
    let (store, place) = (desired.secrets.store.as_str(), desired.secrets.place());
    (!lacking.is_empty()).then(|| {
        format!(
            "{} of {} have no secret in {store} ({place}): {}; check [secrets] in tenants.toml, VAULT_ADDR and the namespace \
             before this is run: with a store that is not theirs, the next apply gives them new passwords",
            lacking.len(),
            tenants.len(),
            few(&lacking)
        )
    })
}

/// A physical copy has everything of the database that the secrets are for, but for the address.
fn elsewhere(desired: &Desired, observed: &Observed, tenants: &[TenantKey]) -> Option<String> {
    if desired.advertise.host.is_some() || desired.advertise.port.is_some() {
        return None;
    }
    let reached = &observed.server.reached;
    let named = tenants.iter().filter_map(|key| match observed.secrets.get(&desired.tenants[key].secret_path)? {
        SecretState::Ours { contents: Some(contents), .. } => {
            let address = format!("{}:{}", contents.fields.host, contents.fields.port);
            (!reached.contains(&address)).then_some((key.as_str(), address))
        }
        _ => None,
    });
    let (keys, addresses): (Vec<&str>, BTreeSet<String>) = named.unzip();
    let addresses = addresses.iter().map(String::as_str).collect::<Vec<_>>();
    (!keys.is_empty()).then(|| {
        format!(
            "the secrets of {} name {}, and this database was reached by {}: it may be a copy, so the registry gets an identity \
             of its own; if the other one is in use, do not run this here; if this one has taken its place, run this, and then: \
             tenantry apply --moved; if this is only another way to the same server (a tunnel): tenantry recover by the usual \
             address, or with [database] advertise",
            few(&keys),
            few(&addresses),
            reached.join(", ")
        )
    })
}

const COLUMNS: &str = "tenant, schema_name, schema_oid, username, owner, access, state, on_remove, protected, password_source, \
     secret_store, secret_path, secret_version, secret_username, secret_schema, secret_host, secret_port, secret_database, \
     secret_place, secret_sslmode, password_changed_at, rotation";

/// What the last apply left of the tenant, as far as it can be told: the rest is as declared, and a plan mends what is not.
fn row(desired: &Desired, observed: &Observed, tenant: &Tenant) -> String {
    let secret = secret(desired, observed, tenant);
    let created = match observed.secrets.get(&tenant.secret_path) {
        Some(SecretState::Ours { created: Some(created), .. }) => Some(created.to_string()),
        _ => None,
    };
    let maybe = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), literal);
    let schema = literal(&tenant.schema);
    let oid = format!(
        "(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = {schema}::pg_catalog.text::pg_catalog.name)"
    );
    let fields = &secret.fields;
    let values = [
        literal(tenant.key.as_str()),
        schema,
        oid,
        literal(&tenant.username),
        literal(tenant.owner()),
        literal(tenant.access.as_str()),
        literal(State::Active.as_str()),
        literal(tenant.on_remove.as_str()),
        tenant.protected.to_string(),
        literal(tenant.password_source().as_str()),
        literal(&secret.store),
        literal(&secret.path),
        maybe(secret.version.as_deref()),
        literal(&fields.username),
        literal(&fields.schema),
        literal(&fields.host),
        fields.port.to_string(),
        literal(&fields.database),
        maybe(secret.place.as_deref()),
        maybe(fields.sslmode.map(SslMode::as_str)),
        maybe(created.as_deref()),
        literal(rotation(observed, tenant).as_str()),
    ];
    format!("({})", values.join(", "))
}

/// Two users are its own if they are members of its username: only tenantry makes them that.
fn rotation(observed: &Observed, tenant: &Tenant) -> Rotation {
    let users = tenant.login_users();
    let is_its = |user: &String| observed.roles.get(user).is_some_and(|found| found.is_member_of(&tenant.username));
    if !users.is_empty() && users.iter().all(is_its) { Rotation::TwoUser } else { Rotation::Single }
}

/// The password of record is the store's, as it stands there.
fn secret(desired: &Desired, observed: &Observed, tenant: &Tenant) -> RegisteredSecret {
    let wanted = desired.secret_fields(tenant, &observed.server, &observed.database.name, None);
    let (version, fields) = match observed.secrets.get(&tenant.secret_path) {
        Some(SecretState::Ours { version, contents, .. }) => {
            (Some(version.clone()), contents.as_ref().map(|contents| contents.fields.clone()))
        }
        // A role without a password never had one delivered, or lost it with a dump.
        None if !observed.roles.get(&tenant.username).is_some_and(|role| role.lacks_password) => {
            (Some(GONE.to_owned()), None)
        }
        _ => (None, None),
    };
    RegisteredSecret {
        store: desired.secrets.store.as_str().to_owned(),
        // Where one that is not here was is not known.
        place: (version.as_deref() != Some(GONE)).then(|| desired.secrets.place()),
        path: tenant.secret_path.clone(),
        version,
        fields: fields.unwrap_or(wanted),
    }
}

/// The SQL by which the registry knows the marks of these secrets for its own. The tenants are here, whatever became of the
/// registry: so this is the database that wrote them, and no copy of it.
fn marks<'a>(observed: &Observed, secrets: impl Iterator<Item = &'a SecretState>) -> Vec<String> {
    let here = &observed.server.system_identifier;
    let (mut fleets, mut runs) = (BTreeSet::new(), BTreeSet::new());
    for secret in secrets {
        match secret {
            SecretState::Ours { belongs: Belongs::AnotherFleet(mark), .. } if mark.cluster.as_ref() == Some(here) => {
                fleets.extend(mark.fleet.as_deref());
                runs.extend(mark.run.as_deref());
            }
            SecretState::Ours { belongs: Belongs::AnotherCopy(run), .. } => {
                runs.insert(run);
            }
            _ => {}
        }
    }
    let array = |names: &mut dyn Iterator<Item = &str>| {
        format!("ARRAY[{}]::pg_catalog.text[]", names.map(literal).collect::<Vec<_>>().join(", "))
    };
    let mut sql = Vec::new();
    let mut former = fleets.into_iter();
    // It goes on with the identity it had.
    if observed.registry.is_none()
        && let Some(fleet) = former.next()
    {
        sql.push(format!("UPDATE tenantry.identity SET fleet = {}", literal(fleet)));
    }
    let mut former = former.peekable();
    if former.peek().is_some() {
        let former = array(&mut former);
        sql.push(format!("UPDATE tenantry.identity SET former_fleets = former_fleets || {former}"));
    }
    if !runs.is_empty() {
        let runs = array(&mut runs.into_iter());
        sql.push(format!(
            "INSERT INTO tenantry.runs (run) SELECT r FROM pg_catalog.unnest({runs}) r ON CONFLICT DO NOTHING"
        ));
    }
    sql
}

fn script(observed: &Observed, recovery: &Recovery, rows: &[String], marks: &[String]) -> Result<String, Error> {
    let tenants = &recovery.tenants;
    let name = &observed.database.name;
    let mut sql = String::new();
    let count = tenants.len();
    let keys = tenants.iter().map(TenantKey::as_str).collect::<Vec<_>>().join(", ");
    // A newline in a name would end the comment.
    let shown = crate::core::render::escape::visible(name).into_owned();
    let _ = writeln!(
        sql,
        "-- Registers {count} of the tenants of database {shown} again; made by tenantry {}.",
        env!("CARGO_PKG_VERSION")
    );
    let _ = writeln!(sql, "-- What is registered may be dropped by a later apply: look at the list first.\n-- {keys}");
    for warning in &recovery.warnings {
        let _ = writeln!(sql, "-- WARNING: {}", crate::core::render::escape::visible(warning));
    }
    sql.push_str("BEGIN;\nSET LOCAL client_encoding = 'UTF8';\nSET LOCAL search_path = pg_catalog;\n");
    let _ = writeln!(sql, "{};", only_here(observed));
    match &observed.registry {
        None => making(observed)?.iter().for_each(|part| {
            let _ = writeln!(sql, "{};", part.trim_end().trim_end_matches(';'));
        }),
        Some(_) => {
            let _ = writeln!(sql, "{};", guard::check());
        }
    }
    let _ = writeln!(sql, "INSERT INTO tenantry.tenants ({COLUMNS}) VALUES\n{};", rows.join(",\n"));
    for mark in marks {
        let _ = writeln!(sql, "{mark};");
    }
    let list = tenants.iter().map(|key| literal(key.as_str())).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        sql,
        "INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes)\n\
         SELECT {}, t, 'recover', '[]' FROM pg_catalog.unnest(ARRAY[{list}]::pg_catalog.text[]) t;\nCOMMIT;",
        literal(env!("CARGO_PKG_VERSION")),
    );
    Ok(sql)
}

/// Run elsewhere, it would make other roles and schemas this registry's.
fn only_here(observed: &Observed) -> String {
    let (name, cluster) = (literal(&observed.database.name), literal(&observed.server.system_identifier));
    format!(
        "DO $tenantry_here$BEGIN IF pg_catalog.current_database() <> {name} OR (SELECT c.system_identifier::pg_catalog.text \
         FROM pg_catalog.pg_control_system() c) <> {cluster} THEN RAISE EXCEPTION 'this was made for another database'; END IF; END$tenantry_here$"
    )
}

/// Schema tenantry as an apply makes it. One that is there is empty, and ours: it is used as it is, since nobody else could
/// put anything there.
fn making(observed: &Observed) -> Result<Vec<String>, Error> {
    let mut written = Written::default();
    embedded::migrations::runner()
        .set_grouped(true)
        .set_migration_table_name(HISTORY)
        .run(&mut written)
        .map_err(|error| Error::refused(format!("writing down tenantry's own tables: {error}"), "report this"))?;
    let mut parts = Vec::new();
    if observed.registry_schema.is_none() {
        parts.push("CREATE SCHEMA tenantry".to_owned());
    }
    parts.extend(written.0);
    parts.push(closing(&group_role(&observed.database.name)));
    Ok(parts)
}
