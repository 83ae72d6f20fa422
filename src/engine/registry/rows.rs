//! Rows of `tenantry.tenants` and `tenantry.audit_log`.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Transaction;

use crate::core::model::{
    Access, FormerSecret, MadeObject, OnRemove, PasswordSource, Registered, RegisteredSecret, Registry, SecretFields,
    SslMode, State, TenantKey,
};
use crate::engine::database::Ask;
use crate::engine::error::{Doing, Error};

const READ: &str = include_str!("../inspect/sql/registry.sql");

/// An owner role that a row names is known by that.
const UPSERT: &str = "WITH known AS (DELETE FROM tenantry.former_owners WHERE role = $4) INSERT INTO tenantry.tenants (tenant, schema_name, username, owner, access, state, on_remove, protected, \
     password_source, secret_store, secret_path, secret_version, secret_username, secret_schema, secret_host, secret_port, \
     secret_database, secret_place, secret_sslmode, password_changed_at, history_table, schema_oid) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, CASE WHEN $20 THEN pg_catalog.now() END, $21, \
     (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $2::text::name)) \
     ON CONFLICT (tenant) DO UPDATE SET schema_name = excluded.schema_name, username = excluded.username, owner = excluded.owner, \
     access = excluded.access, state = excluded.state, on_remove = excluded.on_remove, protected = excluded.protected, \
     password_source = excluded.password_source, secret_store = excluded.secret_store, secret_path = excluded.secret_path, \
     secret_version = excluded.secret_version, secret_username = excluded.secret_username, secret_schema = excluded.secret_schema, \
     secret_host = excluded.secret_host, secret_port = excluded.secret_port, secret_database = excluded.secret_database, secret_place = excluded.secret_place, \
     secret_sslmode = excluded.secret_sslmode, history_table = excluded.history_table, \
     updated_at = pg_catalog.now(), schema_oid = excluded.schema_oid, deputy = NULL, \
     password_changed_at = coalesce(excluded.password_changed_at, tenants.password_changed_at)";

/// What an apply leaves of a tenant.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    pub tenant: &'a TenantKey,
    pub schema: &'a str,
    pub username: &'a str,
    pub owner: &'a str,
    pub access: Access,
    pub state: State,
    pub on_remove: OnRemove,
    pub protected: bool,
    pub password_source: PasswordSource,
    pub secret: &'a RegisteredSecret,
    pub password_changed: bool,
    /// The refinery history's name, from this apply on.
    pub history_table: &'a str,
}

/// Every row, by tenant. A value that this version does not know is an error, not a guess. Whoever makes a deputy holds the
/// lock: without `others_at_work` one is left over.
///
/// # Errors
/// What PostgreSQL answered, or the tenant whose row cannot be read, with why.
pub(super) fn read(
    transaction: &mut Transaction<'_>,
    others_at_work: bool,
) -> Result<BTreeMap<TenantKey, Registered>, Error> {
    let mut tenants = BTreeMap::new();
    for row in transaction.ask(READ, &[]).doing("reading tenantry.tenants")? {
        let name: String = row.get("tenant");
        let unknown = || {
            Error::refused(
                format!("the row of tenant {name:?} in tenantry.tenants holds a value this version does not know"),
                "use the newest version of tenantry that was used on this database",
            )
        };
        let key = TenantKey::new(name.as_str()).map_err(|_| unknown())?;
        let word = |column: &str| serde_json::Value::String(row.get(column));
        let access: Access = serde_json::from_value(word("access")).map_err(|_| unknown())?;
        let on_remove: OnRemove = serde_json::from_value(word("on_remove")).map_err(|_| unknown())?;
        let password_source: PasswordSource = serde_json::from_value(word("password_source")).map_err(|_| unknown())?;
        let state = match row.get("state") {
            "active" => State::Active,
            "retained" => State::Retained,
            "restoring" => State::Restoring,
            "removing" => State::Removing,
            "removed" => State::Removed,
            _ => return Err(unknown()),
        };
        let registered = Registered {
            schema: row.get("schema_name"),
            schema_oid: row.get("schema_oid"),
            username: row.get("username"),
            owner: row.get("owner"),
            access,
            state,
            on_remove,
            protected: row.get("protected"),
            secret: RegisteredSecret {
                store: row.get("secret_store"),
                place: row.get("secret_place"),
                path: row.get("secret_path"),
                version: row.get("secret_version"),
                fields: SecretFields {
                    username: row.get("secret_username"),
                    schema: row.get("secret_schema"),
                    host: row.get("secret_host"),
                    port: u16::try_from(row.get::<_, i32>("secret_port")).map_err(|_| unknown())?,
                    database: row.get("secret_database"),
                    sslmode: match row.get::<_, Option<String>>("secret_sslmode") {
                        Some(mode) => Some(mode.parse().map_err(|()| unknown())?),
                        None => None,
                    },
                },
            },
            password_source,
            created_at: row.get("created_at"),
            password_changed_at: row.get("password_changed_at"),
            former_secrets: Vec::new(),
            deputy: row.get("deputy"),
            history_table: row.get("history_table"),
            deputy_at_work: others_at_work,
        };
        tenants.insert(key, registered);
    }
    Ok(tenants)
}

/// # Errors
/// What PostgreSQL answered.
pub fn upsert(transaction: &mut Transaction<'_>, row: &Row<'_>) -> Result<(), postgres::Error> {
    let secret = row.secret;
    transaction.execute(
        UPSERT,
        &[
            &row.tenant.as_str(),
            &row.schema,
            &row.username,
            &row.owner,
            &row.access.as_str(),
            &row.state.as_str(),
            &row.on_remove.as_str(),
            &row.protected,
            &row.password_source.as_str(),
            &secret.store,
            &secret.path,
            &secret.version,
            &secret.fields.username,
            &secret.fields.schema,
            &secret.fields.host,
            &i32::from(secret.fields.port),
            &secret.fields.database,
            &secret.place,
            &secret.fields.sslmode.map(SslMode::as_str),
            &row.password_changed,
            &row.history_table,
        ],
    )?;
    Ok(())
}

/// Another password for a tenant that stays as it is. The version of its secret comes once it is written.
///
/// # Errors
/// What PostgreSQL answered.
pub fn rotate(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    secret: &RegisteredSecret,
) -> Result<(), postgres::Error> {
    let SecretFields { username, schema, host, port, database, sslmode } = &secret.fields;
    let sslmode = sslmode.map(SslMode::as_str);
    transaction
        .execute(
            "UPDATE tenantry.tenants SET password_source = 'generated', password_changed_at = pg_catalog.now(), \
             updated_at = pg_catalog.now(), secret_place = $2, secret_username = $3, secret_schema = $4, secret_host = $5, \
             secret_port = $6, secret_database = $7, secret_sslmode = $8 WHERE tenant = $1",
            &[&tenant.as_str(), &secret.place, username, schema, host, &i32::from(*port), database, &sslmode],
        )
        .map(drop)
}

/// Once its secret is gone, nothing of a dropped tenant is left to remember, and a retained one has none.
///
/// # Errors
/// What PostgreSQL answered.
pub fn secret_is_gone(transaction: &mut Transaction<'_>, tenant: &TenantKey) -> Result<(), postgres::Error> {
    let tenant = tenant.as_str();
    transaction.execute("DELETE FROM tenantry.tenants WHERE tenant = $1 AND state = 'removed'", &[&tenant])?;
    transaction
        .execute(
            "UPDATE tenantry.tenants SET secret_version = NULL WHERE tenant = $1 AND state = 'retained'",
            &[&tenant],
        )
        .map(drop)
}

/// What earlier applies left to be done, if they were interrupted.
pub(super) fn read_leftovers(transaction: &mut Transaction<'_>, registry: &mut Registry) -> Result<(), Error> {
    let query =
        "SELECT tenant, store, place, path, version FROM tenantry.former_secrets ORDER BY tenant, store, place, path";
    for row in transaction.ask(query, &[]).doing("reading tenantry.former_secrets")? {
        let tenant = TenantKey::new(row.get::<_, String>("tenant")).ok();
        if let Some(registered) = tenant.and_then(|tenant| registry.tenants.get_mut(&tenant)) {
            registered.former_secrets.push(FormerSecret {
                store: row.get("store"),
                place: row.get("place"),
                path: row.get("path"),
                version: row.get("version"),
            });
        }
    }
    let rows = transaction.ask("SELECT role FROM tenantry.former_owners ORDER BY role", &[]);
    registry.former_owners = rows.doing("reading tenantry.former_owners")?.iter().map(|row| row.get("role")).collect();
    Ok(())
}

/// The sets of migrations of which it is remembered what they make.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn read_sets(transaction: &mut Transaction<'_>, registry: &mut Registry) -> Result<(), Error> {
    let rows = transaction.ask("SELECT digest FROM tenantry.migration_sets ORDER BY digest", &[]);
    registry.recorded_sets =
        rows.doing("reading tenantry.migration_sets")?.iter().map(|row| row.get("digest")).collect();
    Ok(())
}

/// Remembers what a set of migrations makes; what is remembered of it already stays.
///
/// # Errors
/// What PostgreSQL answered.
pub fn record_set(
    transaction: &mut Transaction<'_>,
    digest: &str,
    objects: &BTreeSet<MadeObject>,
) -> Result<(), postgres::Error> {
    let kinds: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
    let names: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    transaction
        .execute(
            "WITH made AS (INSERT INTO tenantry.migration_sets (digest, tenantry_version) VALUES ($1, $2) \
             ON CONFLICT DO NOTHING RETURNING digest) INSERT INTO tenantry.migration_objects (digest, kind, name) \
             SELECT m.digest, o.kind, o.name FROM made m CROSS JOIN unnest($3::text[], $4::text[]) AS o (kind, name)",
            &[&digest, &env!("CARGO_PKG_VERSION"), &kinds, &names],
        )
        .map(drop)
}

/// In the transaction that gives the tenant another secret: this one is to be deleted.
///
/// # Errors
/// What PostgreSQL answered.
pub fn leave_secret(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    secret: &FormerSecret,
) -> Result<(), postgres::Error> {
    transaction
        .execute(
            "INSERT INTO tenantry.former_secrets (tenant, store, place, path, version) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (store, place, path) DO UPDATE SET tenant = excluded.tenant, version = excluded.version",
            &[&tenant.as_str(), &secret.store, &secret.place, &secret.path, &secret.version],
        )
        .map(drop)
}

/// Once they are deleted.
///
/// # Errors
/// What PostgreSQL answered.
pub fn forget_former_secrets(transaction: &mut Transaction<'_>, tenant: &TenantKey) -> Result<(), postgres::Error> {
    transaction.execute("DELETE FROM tenantry.former_secrets WHERE tenant = $1", &[&tenant.as_str()]).map(drop)
}

/// One line of the audit log, in the transaction that it records.
///
/// # Errors
/// What PostgreSQL answered.
pub fn append_audit(
    transaction: &mut Transaction<'_>,
    tenant: &str,
    verb: &str,
    changes: &serde_json::Value,
) -> Result<(), postgres::Error> {
    let version = env!("CARGO_PKG_VERSION");
    let changes = bounded(changes);
    let text = changes.to_string();
    if text.is_ascii() {
        let insert = "INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes) VALUES ($1, $2, $3, $4)";
        return transaction.execute(insert, &[&version, &tenant, &verb, &changes]).map(drop);
    }
    // Not every encoding has every character that a name or a value may hold. As bytes, so that nothing is converted that
    // cannot be.
    let insert = "INSERT INTO tenantry.audit_log (tenantry_version, tenant, verb, changes) SELECT $1, $2, $3, \
         CASE WHEN pg_catalog.getdatabaseencoding() IN ('UTF8', 'SQL_ASCII') \
         THEN pg_catalog.convert_from($4, pg_catalog.getdatabaseencoding())::pg_catalog.jsonb ELSE $5 END";
    let ascii: serde_json::Value = serde_json::from_str(&ascii(&text)).unwrap_or_default();
    transaction.execute(insert, &[&version, &tenant, &verb, &text.as_bytes(), &ascii]).map(drop)
}

/// What a value may take in the audit log, in characters, and how many changes a line of it may hold: a tenant has a say in
/// both, and a jsonb has its limits.
const LONGEST: usize = 2_000;
const MOST: usize = 2_000;

fn bounded(changes: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match changes {
        Value::String(text) if text.len() > LONGEST => {
            let cut: String = text.chars().take(LONGEST).collect();
            Value::String(format!("{cut}... ({} bytes)", text.len()))
        }
        Value::Array(items) => {
            let mut kept: Vec<Value> = items.iter().take(MOST).map(bounded).collect();
            if items.len() > MOST {
                let more = format!("{} more", items.len() - MOST);
                kept.push(serde_json::json!({ "kind": "more", "what": more }));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), bounded(value))).collect(),
        other => other.clone(),
    }
}

/// Every other character as its number: `U+00E9`.
fn ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            ascii.push_str(&format!("U+{:04X}", u32::from(c)));
        }
        ascii
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_audit_log_is_bounded_whatever_a_tenant_did() {
        let long = serde_json::json!([{ "what": "x".repeat(1_000_000), "before": null }]);
        assert!(bounded(&long).to_string().len() < LONGEST + 100);
        let many = serde_json::json!(vec!["x"; MOST + 7]);
        assert_eq!(bounded(&many)[MOST], serde_json::json!({ "kind": "more", "what": "7 more" }));
        let usual = serde_json::json!([{ "what": "na\u{ef}ve \u{2192}" }]);
        assert_eq!(bounded(&usual), usual);
        assert_eq!(ascii(&usual.to_string()), r#"[{"what":"naU+00EFve U+2192"}]"#);
    }
}
