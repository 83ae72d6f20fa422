//! What the catalogs say of a tenant that is about to be archived.

use std::collections::BTreeMap;

use postgres::Transaction;

use super::manifest::Grant;
use super::names::readable;
use crate::core::model::{Applied, History, Subject, ident};
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};
use crate::engine::{inspect, registry};

pub(super) struct Contents {
    pub connection_limit: i32,
    pub settings: BTreeMap<String, String>,
    pub server_version: String,
    pub migrations: Option<Vec<Applied>>,
    pub grants: Vec<Grant>,
}

/// # Errors
/// What PostgreSQL answered; or that something in the schema is not the tenant's, and so could not be given back to it.
pub(super) fn read(
    transaction: &mut Transaction<'_>,
    subject: &Subject,
    history_table: &str,
    encoding: &str,
) -> Result<Contents, Error> {
    let doing = || format!("looking at what exists of {}", subject.tenant);
    refuse_extensions(transaction, subject)?;
    refuse_strangers(transaction, subject, encoding)?;
    refuse_elsewhere(transaction, subject)?;
    let role = transaction
        .ask_opt(
            // A tenant sets its own from any database of the cluster, in the encoding of that one: convert_to refuses such bytes.
            "SELECT r.rolconnlimit, ARRAY(SELECT CASE WHEN pg_catalog.getdatabaseencoding() = 'UTF8' \
             THEN pg_catalog.textsend(c.setting) ELSE pg_catalog.convert_to(c.setting, $2::text::name) END \
             FROM pg_catalog.unnest(s.setconfig) WITH ORDINALITY c(setting, n) \
             WHERE pg_catalog.octet_length(c.setting) <= $3 ORDER BY c.n) AS settings FROM pg_catalog.pg_roles r \
             LEFT JOIN pg_catalog.pg_db_role_setting s ON s.setrole = r.oid AND s.setdatabase = 0 \
             WHERE r.rolname = $1::text::name",
            // What is longer than anybody declares is none that is restored.
            &[&subject.username, &encoding, &inspect::LONG_SETTING],
        )
        .doing(doing())?;
    let settings: Vec<Vec<u8>> = role.as_ref().map(|row| row.get("settings")).unwrap_or_default();
    let settings: Vec<String> = settings.iter().map(|setting| readable(setting)).collect();
    let settings = settings.iter().filter_map(|setting| setting.split_once('='));
    let mut history = inspect::history_of(transaction, history_table, &subject.schema, &subject.owner)?;
    if let (History::Absent, Some(remembered)) = (&history, remembered_history(transaction, subject)?) {
        history = inspect::history_of(transaction, &remembered, &subject.schema, &subject.owner)?;
    }
    let grants = transaction.ask(include_str!("sql/grants.sql"), &[&subject.schema, &encoding]).doing(doing())?;
    let acl = |row: &Record| row.get::<_, Vec<Vec<u8>>>("acl").iter().map(|item| readable(item)).collect();
    Ok(Contents {
        connection_limit: role.as_ref().map_or(-1, |row| row.get("rolconnlimit")),
        settings: settings
            .filter(|(name, _)| !name.eq_ignore_ascii_case("search_path"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        server_version: transaction.ask_one("SHOW server_version", &[]).doing(doing())?.get(0),
        migrations: match history {
            History::Untrusted(_) | History::Locked(_) | History::Unseen { .. } => None,
            History::Absent => Some(Vec::new()),
            History::Read { applied, .. } => Some(applied.to_vec()),
        },
        grants: grants.iter().map(|row| Grant { on: readable(row.get("object")), acl: acl(row) }).collect(),
    })
}

/// The history's name that the registry remembers: tenants.toml may have another one since.
fn remembered_history(transaction: &mut Transaction<'_>, subject: &Subject) -> Result<Option<String>, Error> {
    registry::history_table(transaction, &subject.tenant).doing("asking for the history's name")
}

/// pg_dump leaves extensions out of the dump of a schema, and what uses their types and functions could not be restored.
fn refuse_extensions(transaction: &mut Transaction<'_>, subject: &Subject) -> Result<(), Error> {
    let rows = transaction
        .ask(
            "SELECT e.extname::text AS name FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
             WHERE n.nspname = $1::text::name ORDER BY e.extname",
            &[&subject.schema],
        )
        .doing("looking for extensions in the schema")?;
    let Some(first) = rows.first() else { return Ok(()) };
    let names: Vec<&str> = rows.iter().map(|row| row.get("name")).collect();
    Err(Error::refused(
        format!(
            "schema {} contains extensions ({}), which a dump of a schema leaves out: an archive of the tenant could not be restored",
            subject.schema,
            names.join(", ")
        ),
        format!(
            "move them, as a superuser or their owner, to one of shared_schemas: ALTER EXTENSION {} SET SCHEMA …",
            ident(first.get("name"))
        ),
    ))
}

fn refuse_strangers(transaction: &mut Transaction<'_>, subject: &Subject, encoding: &str) -> Result<(), Error> {
    let rows = transaction
        .ask(include_str!("sql/strangers.sql"), &[&subject.schema, &subject.roles(), &encoding])
        .doing("checking who owns what in the schema")?;
    let Some(first) = rows.first() else { return Ok(()) };
    let (object, owner) = (readable(first.get("object")), readable(first.get("owner")));
    let more = if rows.len() > 1 { format!(", and {} more such objects", rows.len() - 1) } else { String::new() };
    Err(Error::refused(
        format!(
            "{object} belongs to {owner:?}, not to this tenant{more}: an archive of the tenant could not be restored"
        ),
        format!("give it to the tenant: ALTER … OWNER TO {}   or move it to another schema", ident(&subject.owner)),
    ))
}

/// The tenant reads them through its own tables, and a dump of its schema holds none of their rows.
fn refuse_elsewhere(transaction: &mut Transaction<'_>, subject: &Subject) -> Result<(), Error> {
    let schema = &subject.schema;
    let mut found = inspect::dependents_of(transaction, schema)?;
    found.retain(|dependent| dependent.remedy.is_some());
    let Some(first) = found.first() else { return Ok(()) };
    let more = if found.len() > 1 { format!(", and {} more such tables", found.len() - 1) } else { String::new() };
    Err(Error::refused(
        format!(
            "{} holds rows of a table in schema {schema:?} but is outside it{more}: they would be in no archive",
            first.what
        ),
        format!(
            "move it in: ALTER TABLE … SET SCHEMA {}   or detach it: {}",
            ident(schema),
            first.remedy.as_deref().unwrap_or_default()
        ),
    ))
}
