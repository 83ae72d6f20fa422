//! One tenant's probes, in its own session.

use std::collections::BTreeSet;

use postgres::{Client, IsolationLevel, Transaction};
use rand::RngExt;
use serde::Serialize;

use super::{Verify, neighbours};
use crate::database::{Ask, DatabaseError};
use crate::model::{Access, Tenant, TenantKey, ident, qualified};
use crate::secrets::Found;

/// A tenant may lock its tables, and put code that sleeps on their triggers. Said again before each probe: that code may
/// also SET these for the rest of the transaction.
const LIMITS: &str = "SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '5s'";

/// One thing tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub what: String,
    pub ok: bool,
    /// What happened, when that is not what should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What the probes of one tenant came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub tenant: TenantKey,
    pub ok: bool,
    pub checks: Vec<Check>,
    /// Databases, other than its own, that it may connect to.
    pub other_databases: Vec<String>,
}

pub(super) fn tenant(verify: &Verify<'_>, tenant: &Tenant, schemas: &[String]) -> Verdict {
    let mut probes = Probes { verify, tenant, checks: Vec::new(), other_databases: Vec::new() };
    if let Some(mut client) = probes.log_in() {
        let result = begin(&mut client).and_then(|mut transaction| {
            probes.all(&mut transaction, schemas)?;
            transaction.rollback().map_err(DatabaseError::from)
        });
        if let Err(error) = result {
            probes.note("probe", Err(error.to_string()));
        }
    }
    let Probes { checks, other_databases, .. } = probes;
    Verdict { tenant: tenant.key.clone(), ok: checks.iter().all(|check| check.ok), checks, other_databases }
}

/// Whatever the database's settings say: a probe must be able to write, and to be refused without losing the session.
fn begin(client: &mut Client) -> Result<Transaction<'_>, DatabaseError> {
    client.batch_execute(
        "SET exit_on_error = off; SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) \
         WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'",
    )?;
    let isolation = IsolationLevel::ReadCommitted;
    Ok(client.build_transaction().isolation_level(isolation).read_only(false).deferrable(false).start()?)
}

struct Probes<'a> {
    verify: &'a Verify<'a>,
    tenant: &'a Tenant,
    checks: Vec<Check>,
    other_databases: Vec<String>,
}

impl Probes<'_> {
    fn note(&mut self, what: &str, result: Result<(), String>) {
        self.checks.push(Check { what: what.to_owned(), ok: result.is_ok(), detail: result.err() });
    }

    fn log_in(&mut self) -> Option<Client> {
        let result = self.connect();
        let (client, result) = match result {
            Ok(client) => (Some(client), Ok(())),
            Err(error) => (None, Err(error)),
        };
        self.note("log in with the delivered secret", result);
        client
    }

    fn connect(&self) -> Result<Client, String> {
        let path = &self.tenant.secret_path;
        let secret = match self.verify.store.read(path).map_err(|error| error.to_string())? {
            Found::Readable(_, secret) => secret,
            Found::Absent => return Err(format!("there is no secret at {}", self.verify.store.locate(path))),
            Found::Foreign { reason, .. } => return Err(format!("the secret at {path} is not ours: {reason}")),
        };
        let (desired, observed) = (self.verify.desired, self.verify.observed);
        let remembered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&self.tenant.key));
        let remembered = remembered.map(|row| &row.secret.fields);
        let wanted = desired.secret_fields(self.tenant, &observed.server, &observed.database.name, remembered);
        if !secret.url_says_the_same() {
            return Err("the secret's url is not what its other keys give; tenantry apply writes it again".into());
        }
        // Not by the url: whoever may write the secret could name our own password file in it.
        let target = self.verify.target.of_secret(&secret, &wanted, desired.advertise.host.is_some());
        target.connect().map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        })
    }

    fn all(&mut self, transaction: &mut Transaction<'_>, schemas: &[String]) -> Result<(), DatabaseError> {
        self.lands_in_its_schema(transaction)?;
        self.works_in_its_schema(transaction)?;
        let others: Vec<&str> = schemas.iter().map(String::as_str).filter(|s| *s != self.tenant.schema).collect();
        self.reaches_no_other(transaction, &others)?;
        self.is_no_other(transaction)?;
        for schema in neighbours(schemas, &self.tenant.schema) {
            self.refused(
                transaction,
                &format!("read in {schema}"),
                &format!("SELECT FROM {}", qualified(schema, "tenantry_probe")),
            )?;
            self.refused(
                transaction,
                &format!("create in {schema}"),
                &format!("CREATE TABLE {} ()", self.probe(schema)),
            )?;
        }
        self.cluster(transaction)?;
        let rows = transaction.ask(
            "SELECT datname::text FROM pg_catalog.pg_database WHERE datallowconn AND datname <> pg_catalog.current_database() \
             AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname",
            &[],
        )?;
        self.other_databases = rows.iter().map(|row| row.get(0)).collect();
        Ok(())
    }

    fn lands_in_its_schema(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let row = transaction.ask_one(
            "SELECT current_user::text, coalesce(pg_catalog.current_schema()::text, ''), pg_catalog.current_database()::text",
            &[],
        )?;
        let (user, schema): (String, String) = (row.get(0), row.get(1));
        let right = user == self.tenant.username && schema == self.tenant.schema;
        let result = if right { Ok(()) } else { Err(format!("it lands as {user:?} in schema {schema:?}")) };
        self.note("land in its own schema", result);
        Ok(())
    }

    fn works_in_its_schema(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let probe = self.probe(&self.tenant.schema.clone());
        let create = format!("CREATE TABLE {probe} (n int)");
        if !matches!(self.tenant.access, Access::Full | Access::Owner) {
            self.refused(transaction, "create in its own schema", &create)?;
            return self.rows_as_access_says(transaction);
        }
        for (what, sql) in [
            ("create in its own schema", create),
            ("write there", format!("INSERT INTO {probe} VALUES (1)")),
            ("read there", format!("SELECT n FROM {probe}")),
            ("drop there", format!("DROP TABLE {probe}")),
        ] {
            self.allowed(transaction, what, &sql)?;
        }
        self.rows_as_access_says(transaction)
    }

    /// On a table the migrations made. `WHERE false` asks for the privilege and touches no row.
    fn rows_as_access_says(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let row = transaction.ask_opt(
            "SELECT c.relname::text, (SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
             AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a' ORDER BY a.attnum LIMIT 1) \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner \
             WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p') AND c.relname <> $2 AND r.rolname = $3::text::name \
             ORDER BY c.relname LIMIT 1",
            &[&self.tenant.schema, &self.verify.desired.migrations.table, &self.tenant.owner()],
        )?;
        let Some(row) = row else { return Ok(()) };
        let table = qualified(&self.tenant.schema, row.get(0));
        self.allowed(transaction, "read a migrated table", &format!("SELECT FROM {table} WHERE false"))?;
        let mut writes = vec![("delete from a migrated table", format!("DELETE FROM {table} WHERE false"))];
        if let Some(column) = row.get::<_, Option<String>>(1) {
            let column = ident(&column);
            writes.push(("update a migrated table", format!("UPDATE {table} SET {column} = {column} WHERE false")));
        }
        for (what, sql) in writes {
            if self.tenant.access == Access::Readonly {
                self.refused(transaction, what, &sql)?;
            } else {
                self.allowed(transaction, what, &sql)?;
            }
        }
        let history = qualified(&self.tenant.schema, &self.verify.desired.migrations.table);
        if self.tenant.access != Access::Owner {
            self.refused(transaction, "change its migration history", &format!("DELETE FROM {history} WHERE false"))?;
        }
        Ok(())
    }

    /// Every other tenant's schema in one query.
    fn reaches_no_other(&mut self, transaction: &mut Transaction<'_>, others: &[&str]) -> Result<(), DatabaseError> {
        let rows = transaction.ask(
            "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::text[]::name[]) AND \
             (pg_catalog.has_schema_privilege(oid, 'USAGE') OR pg_catalog.has_schema_privilege(oid, 'CREATE')) ORDER BY nspname",
            &[&others],
        )?;
        let open: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let result = if open.is_empty() { Ok(()) } else { Err(format!("it may use {}", open.join(", "))) };
        self.note(&format!("no privilege on the {} other tenants' schemas", others.len()), result);
        Ok(())
    }

    /// A member that does not inherit still may SET ROLE.
    fn is_no_other(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let own = [self.tenant.username.as_str(), self.tenant.owner_role.as_str()];
        let all = self.verify.desired.tenants.values().flat_map(|other| [other.username.as_str(), &other.owner_role]);
        let others: BTreeSet<&str> = all.filter(|role| !own.contains(role)).collect();
        let others: Vec<&str> = others.into_iter().collect();
        let rows = transaction.ask(
            "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[]::name[]) \
             AND pg_catalog.pg_has_role(oid, 'MEMBER') ORDER BY rolname",
            &[&others],
        )?;
        let in_them: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let result = if in_them.is_empty() { Ok(()) } else { Err(format!("it is a member of {}", in_them.join(", "))) };
        self.note("member of no other tenant's role", result);
        Ok(())
    }

    fn cluster(&mut self, transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
        let name = format!("tenantry_probe_{:08x}", rand::rng().random::<u32>());
        let admin = ident(&self.verify.observed.server.admin.name);
        let mut probes = vec![
            ("read tenantry's registry", "SELECT FROM tenantry.tenants".to_owned()),
            ("create a schema", format!("CREATE SCHEMA {name}")),
            ("create a role", format!("CREATE ROLE {name}")),
            ("read pg_authid", "SELECT FROM pg_catalog.pg_authid".to_owned()),
            ("change another role's settings", format!("ALTER ROLE {admin} SET work_mem = '1MB'")),
            ("become another role", format!("SET LOCAL ROLE {admin}")),
            ("run a program on the server", "COPY (SELECT 1) TO PROGRAM 'true'".to_owned()),
            ("read a file of the server", "SELECT pg_catalog.pg_read_file('PG_VERSION')".to_owned()),
        ];
        if self.tenant.access != Access::Owner {
            probes.push(("become its owner role", format!("SET LOCAL ROLE {}", ident(&self.tenant.owner_role))));
        }
        if !self.verify.public_is_kept() {
            if self.verify.observed.database.public_schema.is_some() {
                probes.push(("create in schema public", format!("CREATE TABLE public.{name} ()")));
                if !self.verify.desired.shared_schemas.iter().any(|schema| schema == "public") {
                    probes.push(("use schema public", format!("SELECT FROM public.{name}")));
                }
            }
            // An owner runs its migrations, which may make them.
            if self.tenant.access != Access::Owner {
                probes.push(("create a temporary table", format!("CREATE TEMPORARY TABLE {name} ()")));
            }
        }
        for (what, sql) in probes {
            self.refused(transaction, what, &sql)?;
        }
        // What one tenant made there would be on the search_path of all.
        for schema in self.verify.observed.database.shared_schemas.keys() {
            if schema != "public" || !self.verify.public_is_kept() {
                let sql = format!("CREATE TABLE {} ()", self.probe(schema));
                self.refused(transaction, &format!("create in shared schema {schema}"), &sql)?;
            }
        }
        Ok(())
    }

    fn probe(&self, schema: &str) -> String {
        qualified(schema, &format!("tenantry_probe_{:08x}", rand::rng().random::<u32>()))
    }

    fn allowed(&mut self, transaction: &mut Transaction<'_>, what: &str, sql: &str) -> Result<(), DatabaseError> {
        let mut savepoint = transaction.transaction()?;
        match savepoint.batch_execute(&format!("{LIMITS}; {sql}")) {
            Ok(()) => {
                savepoint.commit()?;
                self.note(what, Ok(()));
            }
            Err(error) if error.as_db_error().is_some() => {
                savepoint.rollback()?;
                self.note(what, Err(DatabaseError::from(error).to_string()));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// 42501 (insufficient_privilege) is the only right answer: any other means that the privilege was there.
    fn refused(&mut self, transaction: &mut Transaction<'_>, what: &str, sql: &str) -> Result<(), DatabaseError> {
        let mut savepoint = transaction.transaction()?;
        let result = savepoint.batch_execute(&format!("{LIMITS}; {sql}"));
        savepoint.rollback()?;
        let what = format!("is refused to {what}");
        match result {
            Ok(()) => self.note(&what, Err("it was not refused".into())),
            Err(error) => match error.as_db_error().map(|error| error.code().code().to_owned()) {
                Some(code) if code == "42501" => self.note(&what, Ok(())),
                Some(_) => self.note(&what, Err(format!("it got past the privileges: {}", DatabaseError::from(error)))),
                None => return Err(error.into()),
            },
        }
        Ok(())
    }
}
