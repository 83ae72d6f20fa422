//! One thing to try, the answer that is right, and the question that the catalogs answer in its place.

use super::answer::Wanted;
use crate::core::model::{Access, Tenant, ident, literal, qualified};
use crate::engine::registry;

/// A statement to try.
pub(super) struct Probe {
    pub what: String,
    /// What it is tried on, where that is not in `what`.
    pub object: Option<String>,
    pub sql: String,
    pub wanted: Wanted,
    /// SQL, of type boolean: whether the tenant has the privilege. Asked with pg_catalog alone in the search_path; null where
    /// what it is about is not there.
    pub privilege: String,
    /// A rule of the table may take the statement's place.
    pub rewritten: bool,
}

impl Probe {
    pub fn allowed(what: &str, sql: String, privilege: String) -> Self {
        Self { what: what.into(), object: None, sql, wanted: Wanted::Allowed, privilege, rewritten: false }
    }

    pub fn refused(what: &str, sql: String, privilege: String) -> Self {
        let what = format!("may not {what}");
        Self { what, object: None, sql, wanted: Wanted::Refused, privilege, rewritten: false }
    }
}

/// An object of the tenant's schema that the migrations made.
pub(super) struct Picked {
    pub kind: String,
    pub name: String,
    pub oid: u32,
    pub rules: bool,
    /// One that may be written to; none where there is none.
    pub column: Option<String>,
}

/// A role, a privilege on a schema, a database, a function: as questions.
pub(super) fn on_schema(schema: &str, privilege: &str) -> String {
    format!("(SELECT has_schema_privilege(oid, '{privilege}') FROM pg_namespace WHERE nspname = {})", literal(schema))
}

fn on_database(privilege: &str) -> String {
    format!("has_database_privilege(current_database(), '{privilege}')")
}

fn on_table(schema: &str, table: &str, privilege: &str) -> String {
    format!(
        "(SELECT has_table_privilege(c.oid, '{privilege}') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {})",
        literal(schema),
        literal(table)
    )
}

/// From PostgreSQL 16 on a member may be one that cannot SET ROLE.
fn may_become(role: &str, major: i32) -> String {
    let option = if major >= 16 { "SET" } else { "MEMBER" };
    format!("(SELECT pg_has_role(oid, '{option}') FROM pg_roles WHERE rolname = {})", literal(role))
}

fn is(attribute: &str) -> String {
    format!("(SELECT rolsuper OR {attribute} FROM pg_roles WHERE rolname = current_user)")
}

/// A table of its own, made, filled, read and dropped; each takes the one before it for granted.
pub(super) fn life_of_a_table(tenant: &Tenant, probe: &str) -> Vec<Probe> {
    let create = format!("CREATE TABLE {probe} (n int)");
    let privilege = on_schema(&tenant.schema, "CREATE");
    if !matches!(tenant.access, Access::Full | Access::Owner) {
        return vec![Probe::refused("create in its own schema", create, privilege)];
    }
    [
        ("create in its own schema", create),
        ("write there", format!("INSERT INTO {probe} VALUES (1)")),
        ("read there", format!("SELECT n FROM {probe}")),
        ("drop there", format!("DROP TABLE {probe}")),
    ]
    .into_iter()
    .map(|(what, sql)| Probe::allowed(what, sql, privilege.clone()))
    .collect()
}

/// On what the migrations made. `WHERE false` asks for the privilege and touches no row; nothing is called, and a sequence
/// is read, since nextval is not undone by a rollback.
pub(super) fn rows(tenant: &Tenant, picked: &Picked) -> Vec<Probe> {
    let name = qualified(&tenant.schema, &picked.name);
    let kind = &picked.kind;
    let asked = |privilege: &str| match kind.as_str() {
        "sequence" => format!("has_sequence_privilege({}::oid, '{privilege}')", picked.oid),
        _ => format!("has_table_privilege({}::oid, '{privilege}')", picked.oid),
    };
    let read = match kind.as_str() {
        "sequence" => format!("SELECT last_value FROM {name}"),
        _ => format!("SELECT FROM {name} WHERE false"),
    };
    let mut probes = vec![Probe::allowed(&format!("read a migrated {kind}"), read, asked("SELECT"))];
    if kind == "table" {
        let mut writes = vec![("delete from a migrated table", format!("DELETE FROM {name} WHERE false"), "DELETE")];
        if let Some(column) = picked.column.as_deref().map(ident) {
            let update = format!("UPDATE {name} SET {column} = {column} WHERE false");
            let insert = format!("INSERT INTO {name} ({column}) SELECT {column} FROM {name} WHERE false");
            writes.push(("update a migrated table", update, "UPDATE"));
            writes.push(("insert into a migrated table", insert, "INSERT"));
        }
        probes.extend(writes.into_iter().map(|(what, sql, privilege)| {
            let privilege = asked(privilege);
            match tenant.access {
                Access::Readonly => Probe::refused(what, sql, privilege),
                _ => Probe::allowed(what, sql, privilege),
            }
        }));
    }
    for probe in &mut probes {
        probe.object = Some(format!("{kind} {}.{}", tenant.schema, picked.name));
        probe.rewritten = picked.rules;
    }
    probes
}

/// What is published must be identifiable, or PostgreSQL refuses to change it. It says so to EXPLAIN, which changes nothing and
/// fires no trigger.
pub(super) fn published(tenant: &Tenant, table: &str, oid: u32, column: Option<&str>) -> Vec<Probe> {
    let name = qualified(&tenant.schema, table);
    let mut writes = vec![("delete from published tables", format!("EXPLAIN DELETE FROM {name}"), "DELETE")];
    if let Some(column) = column.map(ident) {
        let update = format!("EXPLAIN UPDATE {name} SET {column} = {column}");
        writes.push(("update published tables", update, "UPDATE"));
    }
    let probe = |(what, sql, privilege): (&str, String, &str)| Probe {
        object: Some(format!("table {}.{table}", tenant.schema)),
        ..Probe::allowed(what, sql, format!("has_table_privilege({oid}::oid, '{privilege}')"))
    };
    writes.into_iter().map(probe).collect()
}

pub(super) fn history(tenant: &Tenant, table: &str) -> Probe {
    let sql = format!("DELETE FROM {} WHERE false", qualified(&tenant.schema, table));
    Probe::refused("change its migration history", sql, on_table(&tenant.schema, table, "DELETE"))
}

/// The schema of another tenant.
pub(super) fn neighbour(schema: &str, probe: &str) -> [Probe; 2] {
    let read = format!("SELECT FROM {}", qualified(schema, "tenantry_probe"));
    [
        Probe::refused(&format!("read in {schema}"), read, on_schema(schema, "USAGE")),
        Probe::refused(&format!("create in {schema}"), format!("CREATE TABLE {probe} ()"), on_schema(schema, "CREATE")),
    ]
}

/// What is nobody's: the registry, the server, other roles. `name` is one that nothing has.
pub(super) fn cluster(name: &str, admin: &str, major: i32) -> Vec<Probe> {
    let program = "pg_has_role('pg_execute_server_program', 'MEMBER')".to_owned();
    let file = "has_function_privilege('pg_catalog.pg_read_file(text)', 'EXECUTE')".to_owned();
    let role = ident(admin);
    vec![
        Probe::refused("read tenantry's registry", registry::PROBE.into(), on_schema("tenantry", "USAGE")),
        Probe::refused("create a schema", format!("CREATE SCHEMA {name}"), on_database("CREATE")),
        Probe::refused("create a role", format!("CREATE ROLE {name}"), is("rolcreaterole")),
        Probe::refused(
            "read pg_authid",
            "SELECT FROM pg_catalog.pg_authid".into(),
            on_table("pg_catalog", "pg_authid", "SELECT"),
        ),
        Probe::refused(
            "change another role's settings",
            format!("ALTER ROLE {role} SET work_mem = '1MB'"),
            is("rolcreaterole"),
        ),
        Probe::refused("become another role", format!("SET LOCAL ROLE {role}"), may_become(admin, major)),
        Probe::refused("run a program on the server", "COPY (SELECT 1) TO PROGRAM 'true'".into(), program),
        Probe::refused("read a file on the server", "SELECT pg_catalog.pg_read_file('PG_VERSION')".into(), file),
    ]
}

pub(super) fn owner_role(role: &str, major: i32) -> Probe {
    Probe::refused("become its owner role", format!("SET LOCAL ROLE {}", ident(role)), may_become(role, major))
}

pub(super) fn create_in(what: &str, schema: &str, probe: &str) -> Probe {
    Probe::refused(what, format!("CREATE TABLE {probe} ()"), on_schema(schema, "CREATE"))
}

pub(super) fn use_public(name: &str) -> Probe {
    Probe::refused("use schema public", format!("SELECT FROM public.{name}"), on_schema("public", "USAGE"))
}

pub(super) fn temporary_table(name: &str) -> Probe {
    Probe::refused("create a temporary table", format!("CREATE TEMPORARY TABLE {name} ()"), on_database("TEMPORARY"))
}
