//! Rows of `tenantry.tenants`: reading them, and what an apply leaves in them.

use std::collections::BTreeMap;

use postgres::Transaction;
use postgres::types::ToSql;

use crate::core::model::{
    Access, Named, OnRemove, Origin, PasswordSource, Registered, RegisteredSecret, Rotation, Scope, SecretFields,
    SslMode, State, TenantKey,
};
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};

const READ: &str = include_str!("sql/tenants.sql");

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
    pub suspended: bool,
    pub password_source: PasswordSource,
    pub rotation: Rotation,
    pub declared_by: Origin,
    pub secret: &'a RegisteredSecret,
    pub password_changed: bool,
    /// The refinery history's name, from this apply on.
    pub history_table: &'a str,
}

/// The rows that `scope` is about, by tenant. A value that this version does not know is an error, not a guess. Whoever makes a deputy holds the
/// lock: without `others_at_work` one is left over.
///
/// # Errors
/// What PostgreSQL answered, or the tenant whose row cannot be read, with why.
pub(super) fn read(
    transaction: &mut Transaction<'_>,
    others_at_work: bool,
    scope: &Scope,
) -> Result<BTreeMap<TenantKey, Registered>, Error> {
    let mut tenants = BTreeMap::new();
    for row in chosen(transaction, scope).doing("reading tenantry.tenants")? {
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
        let rotation = match row.get::<_, Option<&str>>("rotation") {
            None | Some("single") => Rotation::Single,
            Some("two-user") => Rotation::TwoUser,
            Some(_) => return Err(unknown()),
        };
        let declared_by = match row.get::<_, Option<&str>>("declared_by") {
            None | Some("file") => Origin::File,
            Some("source") => Origin::Source,
            Some("api") => Origin::Api,
            Some(_) => return Err(unknown()),
        };
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
            suspended: row.get("suspended"),
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
            rotation,
            declared_by,
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

fn chosen(transaction: &mut Transaction<'_>, scope: &Scope) -> Result<Vec<Record>, postgres::Error> {
    let Scope::Named(Named { keys, schemas, roles, .. }) = scope else {
        let all: Option<Vec<&str>> = None;
        return transaction.ask(READ, &[&all, &all, &all]);
    };
    let keys: Vec<&str> = keys.iter().map(TenantKey::as_str).collect();
    let (schemas, roles): (Vec<&String>, Vec<&String>) = (schemas.iter().collect(), roles.iter().collect());
    transaction.ask(READ, &[&Some(keys), &schemas, &roles])
}

/// Whether a file or its source declares any tenant.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn is_of_a_file(transaction: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
    Ok(transaction.ask_one(include_str!("sql/is_of_a_file.sql"), &[])?.get("is_of_a_file"))
}

/// # Errors
/// What PostgreSQL answered.
pub fn upsert(transaction: &mut Transaction<'_>, row: &Row<'_>) -> Result<(), postgres::Error> {
    let secret = row.secret;
    transaction.execute(
        include_str!("sql/upsert.sql"),
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
            &row.suspended,
            &row.rotation.as_str(),
            &row.declared_by.as_str(),
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
    let values: [&(dyn ToSql + Sync); 8] =
        [&tenant.as_str(), &secret.place, username, schema, host, &i32::from(*port), database, &sslmode];
    transaction.execute(include_str!("sql/rotate.sql"), &values).map(drop)
}

/// The secret names another user, with another password, and who logs in for the tenant is this from now on.
///
/// # Errors
/// What PostgreSQL answered.
pub fn switch(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    secret: &RegisteredSecret,
    rotation: Rotation,
) -> Result<(), postgres::Error> {
    rotate(transaction, tenant, secret)?;
    let switch = include_str!("sql/switch.sql");
    transaction.execute(switch, &[&tenant.as_str(), &secret.version, &rotation.as_str()]).map(drop)
}
