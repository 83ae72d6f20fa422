//! Changes that people make by hand: a kind of each, with the SQL and with what a plan is to say of it.
#![allow(dead_code)] // Each test binary uses a part.

use std::collections::BTreeSet;

use serde_json::Value;

/// The tenant whose things are changed by hand. Names as they are, not quoted.
#[derive(Clone, Debug)]
pub struct Victim {
    pub key: String,
    pub schema: String,
    pub user: String,
    /// The role that owns; with access "owner" the user.
    pub owner: String,
    /// Tenants that share an owner.
    pub owner_is_shared: bool,
    pub access: &'static str,
    pub database: String,
    /// A role of the same cluster that has nothing to do with tenants; there is also [`OTHER`].
    pub stranger: String,
}

/// A second such role, in nothing and with nobody in it.
pub const OTHER: &str = "auditors";

/// How it is done.
pub enum How {
    /// As the superuser, in SQL with `{user}` and the like, which stand for quoted names.
    Sql(&'static str),
    /// In the secret store.
    SecretDeleted,
    /// The host in it is another.
    SecretRewritten,
}

/// Whom it can happen to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    Anyone,
    /// The username does not own.
    NotOwner,
    /// Nor does any other tenant's.
    OwnOwner,
}

pub struct Kind {
    pub name: &'static str,
    pub to: To,
    pub how: How,
    /// Words that one change of the tenant's, or of the database, holds: "what: before → after", with names as they are.
    pub says: &'static [&'static str],
}

const fn sql(name: &'static str, to: To, sql: &'static str, says: &'static [&'static str]) -> Kind {
    Kind { name, to, how: How::Sql(sql), says }
}

/// How many kinds at the end of the list a plan does not see yet; 0 switches them all on.
const UNSEEN: usize = 0;

/// The kinds that a plan sees.
pub fn seen() -> &'static [Kind] {
    &KINDS[..KINDS.len() - UNSEEN]
}

use To::{Anyone, NotOwner, OwnOwner};

const KINDS: &[Kind] = &[
    sql("the login is taken away", Anyone, "ALTER ROLE {user} NOLOGIN", &["role {user}: ", "NOLOGIN"]),
    sql("SUPERUSER is given", Anyone, "ALTER ROLE {user} SUPERUSER", &["role {user}: ", "NOSUPERUSER"]),
    sql("CREATEDB is given", Anyone, "ALTER ROLE {user} CREATEDB", &["role {user}: ", "NOCREATEDB"]),
    sql("CREATEROLE is given", Anyone, "ALTER ROLE {user} CREATEROLE", &["role {user}: ", "NOCREATEROLE"]),
    sql("REPLICATION is given", Anyone, "ALTER ROLE {user} REPLICATION", &["role {user}: ", "NOREPLICATION"]),
    sql("BYPASSRLS is given", Anyone, "ALTER ROLE {user} BYPASSRLS", &["role {user}: ", "NOBYPASSRLS"]),
    sql("INHERIT is taken away", Anyone, "ALTER ROLE {user} NOINHERIT", &["role {user}: ", "NOINHERIT"]),
    sql(
        "a connection limit is set",
        Anyone,
        "ALTER ROLE {user} CONNECTION LIMIT 77",
        &["role {user}: ", "connection limit 77"],
    ),
    sql(
        "a date of expiry is set",
        Anyone,
        "ALTER ROLE {user} VALID UNTIL '2031-01-01'",
        &["role {user}: ", "valid until 2031"],
    ),
    sql("the password is taken away", Anyone, "ALTER ROLE {user} PASSWORD NULL", &["password of {user}: "]),
    sql("the owner may log in", OwnOwner, "ALTER ROLE {owner} LOGIN", &["role {owner}: LOGIN", "→ NOLOGIN"]),
    sql("a setting is added", Anyone, "ALTER ROLE {user} SET lock_timeout = '7s'", &["setting lock_timeout: 7s → "]),
    sql(
        "a setting is added for this database",
        Anyone,
        "ALTER ROLE {user} IN DATABASE {database} SET lock_timeout = '7s'",
        &["setting lock_timeout in this database: 7s → "],
    ),
    sql(
        "search_path is set",
        Anyone,
        "ALTER ROLE {user} SET search_path = public",
        &["setting search_path: public → "],
    ),
    sql("all settings are reset", Anyone, "ALTER ROLE {user} RESET ALL", &["setting search_path:  → "]),
    sql("the tenant joins another role", Anyone, "GRANT {other} TO {user}", &["role {user}: member of {other}"]),
    sql(
        "the tenant joins a role of PostgreSQL's own",
        Anyone,
        "GRANT pg_read_all_data TO {user}",
        &["role {user}: member of pg_read_all_data"],
    ),
    sql(
        "another role joins the tenant",
        Anyone,
        "GRANT {user} TO {stranger}",
        &["role {stranger}: member of {user} → "],
    ),
    sql("the tenant joins its owner", NotOwner, "GRANT {owner} TO {user}", &["role {user}: member of {owner}"]),
    sql(
        "the tenant leaves the group role",
        Anyone,
        "REVOKE {group} FROM {user}",
        &["role {user}:  → member of {group}"],
    ),
    sql(
        "the schema gets another owner",
        Anyone,
        "ALTER SCHEMA {schema} OWNER TO {other}",
        &["schema {schema}: owner {other} → owner {owner}"],
    ),
    sql(
        "the owner loses its schema",
        Anyone,
        "REVOKE ALL ON SCHEMA {schema} FROM {owner}",
        &["schema {schema}: {owner}: none → {owner}: USAGE, CREATE"],
    ),
    sql(
        "the owner loses its tables",
        Anyone,
        "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {owner}",
        &["{owner}: none", " → ", "{owner}: SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER"],
    ),
    sql(
        "the owner loses its functions",
        Anyone,
        "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM {owner}",
        &["{owner}: none", "{owner}: EXECUTE"],
    ),
    sql(
        "the schema is opened to a stranger",
        Anyone,
        "GRANT USAGE ON SCHEMA {schema} TO {stranger}",
        &["schema {schema}: {stranger}: USAGE → {stranger}: none"],
    ),
    sql(
        "the schema is opened to everybody",
        Anyone,
        "GRANT USAGE, CREATE ON SCHEMA {schema} TO PUBLIC",
        &["schema {schema}: PUBLIC: USAGE, CREATE → PUBLIC: none"],
    ),
    sql(
        "the schema is closed to the tenant",
        NotOwner,
        "REVOKE USAGE ON SCHEMA {schema} FROM {user}",
        &["schema {schema}: {user}: ", " → {user}: USAGE"],
    ),
    sql(
        "tables are opened to everybody",
        Anyone,
        "GRANT SELECT ON {schema}.users TO PUBLIC",
        &[" in {schema}: ", "PUBLIC"],
    ),
    sql(
        "a table is opened to a stranger",
        Anyone,
        "GRANT SELECT, DELETE ON {schema}.projects TO {stranger}",
        &[" in {schema}: ", "{stranger}"],
    ),
    sql(
        "a table is closed to the tenant",
        NotOwner,
        "REVOKE SELECT ON {schema}.users FROM {user}",
        &[" in {schema}: ", "{user}: "],
    ),
    sql("TRIGGER is given", NotOwner, "GRANT TRIGGER ON {schema}.users TO {user}", &[" in {schema}: ", "TRIGGER"]),
    sql(
        "a view is opened to a stranger",
        Anyone,
        "GRANT SELECT ON {schema}.busy TO {stranger}",
        &[" in {schema}: ", "{stranger}"],
    ),
    sql(
        "a sequence is opened to a stranger",
        Anyone,
        "GRANT USAGE ON SEQUENCE {schema}.tickets TO {stranger}",
        &[" in {schema}: ", "{stranger}"],
    ),
    sql(
        "a function is opened to a stranger",
        Anyone,
        "GRANT EXECUTE ON FUNCTION {schema}.user_count() TO {stranger}",
        &[" in {schema}: ", "{stranger}"],
    ),
    sql(
        "a function is closed to the tenant",
        NotOwner,
        "REVOKE EXECUTE ON FUNCTION {schema}.user_count() FROM {user}",
        &[" in {schema}: {user}: none"],
    ),
    sql(
        "a type is opened to a stranger",
        Anyone,
        "GRANT USAGE ON TYPE {schema}.mood TO {stranger}",
        &[" in {schema}: ", "{stranger}"],
    ),
    sql(
        "a table gets another owner",
        Anyone,
        "ALTER TABLE {schema}.projects OWNER TO {other}",
        &["owner {other} → owner {owner}"],
    ),
    sql(
        "a view gets another owner",
        Anyone,
        "ALTER VIEW {schema}.busy OWNER TO {other}",
        &["owner {other} → owner {owner}"],
    ),
    sql(
        "a function gets another owner",
        Anyone,
        "ALTER FUNCTION {schema}.user_count() OWNER TO {other}",
        &["owner {other} → owner {owner}"],
    ),
    sql(
        "a type gets another owner",
        Anyone,
        "ALTER TYPE {schema}.mood OWNER TO {other}",
        &["owner {other} → owner {owner}"],
    ),
    sql(
        "a sequence gets another owner",
        Anyone,
        "ALTER SEQUENCE {schema}.tickets OWNER TO {other}",
        &["owner {other} → owner {owner}"],
    ),
    sql(
        "the admin makes a table",
        Anyone,
        "CREATE TABLE IF NOT EXISTS {schema}.made_by_hand (id int)",
        &["owner postgres → owner {owner}"],
    ),
    sql(
        "future tables are opened to a stranger",
        Anyone,
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {stranger}",
        &["future tables of {owner}: {stranger}: SELECT → {stranger}: none"],
    ),
    sql(
        "future tables are closed to the tenant",
        NotOwner,
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} REVOKE SELECT ON TABLES FROM {user}",
        &["future tables of {owner}: {user}: "],
    ),
    sql(
        "the history is opened to the tenant",
        NotOwner,
        "GRANT INSERT, UPDATE ON {schema}.refinery_schema_history TO {user}",
        &["history refinery_schema_history: {user}: ", " → {user}: SELECT"],
    ),
    sql(
        "the history is opened to a stranger",
        Anyone,
        "GRANT SELECT ON {schema}.refinery_schema_history TO {stranger}",
        &["history refinery_schema_history: {stranger}: SELECT → {stranger}: none"],
    ),
    sql(
        "a stranger passed a grant on",
        Anyone,
        "GRANT USAGE ON SCHEMA {schema} TO {stranger}; GRANT SELECT ON {schema}.users TO {stranger} WITH GRANT OPTION; \
         SET ROLE {stranger}; GRANT SELECT ON {schema}.users TO PUBLIC; RESET ROLE",
        &[" in {schema}: ", "SELECT granted by {stranger}", "{stranger}: SELECT WITH GRANT OPTION"],
    ),
    sql(
        "another role joins the tenant and may let others in",
        Anyone,
        "GRANT {user} TO {stranger} WITH ADMIN OPTION",
        &["role {stranger}: member of {user} WITH ADMIN OPTION → "],
    ),
    Kind {
        name: "the secret is deleted",
        to: Anyone,
        how: How::SecretDeleted,
        says: &["secret tenants/{key}:  → {user}@"],
    },
    Kind {
        name: "the secret is rewritten",
        to: Anyone,
        how: How::SecretRewritten,
        says: &["secret tenants/{key}: {user}@elsewhere.example"],
    },
    sql(
        "a table of the migrations is given to the tenant",
        NotOwner,
        "ALTER TABLE {schema}.users OWNER TO {user}",
        &["owner {user} → owner {owner}"],
    ),
    sql(
        "a view of the migrations is given to the tenant",
        NotOwner,
        "ALTER VIEW {schema}.busy OWNER TO {user}",
        &["owner {user} → owner {owner}"],
    ),
    sql(
        "a function of the migrations is given to the tenant",
        NotOwner,
        "ALTER FUNCTION {schema}.user_count() OWNER TO {user}",
        &["owner {user} → owner {owner}"],
    ),
    sql(
        "a type of the migrations is given to the tenant",
        NotOwner,
        "ALTER TYPE {schema}.mood OWNER TO {user}",
        &["owner {user} → owner {owner}"],
    ),
    sql(
        "the registry is opened to everybody",
        Anyone,
        "GRANT USAGE, CREATE ON SCHEMA tenantry TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA tenantry TO PUBLIC",
        &["schema tenantry: PUBLIC: USAGE, CREATE → PUBLIC: none"],
    ),
    sql(
        "the registry is opened to the tenant",
        Anyone,
        "GRANT USAGE ON SCHEMA tenantry TO {user}; GRANT UPDATE ON tenantry.tenants TO {user}",
        &["table tenantry.tenants: {user}: UPDATE → {user}: none"],
    ),
    sql(
        "a column of the registry is opened to a stranger",
        Anyone,
        "GRANT UPDATE (state) ON tenantry.tenants TO {stranger}",
        &["column state of tenantry.tenants: {stranger}: UPDATE → {stranger}: none"],
    ),
    sql(
        "the registry may be passed on",
        Anyone,
        "GRANT SELECT ON tenantry.identity TO {stranger} WITH GRANT OPTION",
        &["table tenantry.identity: {stranger}: SELECT WITH GRANT OPTION → {stranger}: SELECT"],
    ),
    sql(
        "future tables of the registry are opened",
        Anyone,
        "ALTER DEFAULT PRIVILEGES IN SCHEMA tenantry GRANT INSERT ON TABLES TO {stranger}",
        &["future tables of postgres in tenantry: {stranger}: INSERT → none"],
    ),
    sql(
        "a trigger stands on the registry",
        Anyone,
        "CREATE FUNCTION {schema}.planted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER {key} BEFORE UPDATE ON tenantry.tenants FOR EACH ROW EXECUTE FUNCTION {schema}.planted()",
        &["trigger ", " on tenantry.tenants, which is not tenantry's → removed"],
    ),
    sql(
        "a rule stands on the registry",
        Anyone,
        "CREATE RULE {key} AS ON DELETE TO tenantry.former_owners DO INSTEAD NOTHING",
        &["rule ", " on tenantry.former_owners, which is not tenantry's → removed"],
    ),
    sql(
        "the registry has row security",
        Anyone,
        "ALTER TABLE tenantry.former_secrets ENABLE ROW LEVEL SECURITY",
        &["row security of tenantry.former_secrets, which is not tenantry's → removed"],
    ),
    sql(
        "the audit log may be changed",
        Anyone,
        "ALTER TABLE tenantry.audit_log DISABLE TRIGGER append_only",
        &["trigger append_only on tenantry.audit_log: disabled → as tenantry created it"],
    ),
    sql("the schema is dropped", Anyone, "DROP SCHEMA {schema} CASCADE", &["schema {schema}:  → owner {owner}"]),
    // What it was given of the migrations' goes back: PostgreSQL drops no type that a table needs.
    sql(
        "the role is dropped",
        NotOwner,
        "REASSIGN OWNED BY {user} TO {owner}; DROP OWNED BY {user}; DROP ROLE {user}",
        &["role {user}:  → LOGIN"],
    ),
    // Not seen yet; see UNSEEN.
    sql(
        "a column is opened to a stranger",
        Anyone,
        "GRANT SELECT (email) ON {schema}.users TO {stranger}",
        &["{stranger}", "email"],
    ),
    sql(
        "a column is opened to the tenant",
        NotOwner,
        "GRANT UPDATE (version) ON {schema}.refinery_schema_history TO {user}",
        &["{user}", "version"],
    ),
    sql(
        "a grant may be passed on",
        NotOwner,
        "GRANT SELECT ON {schema}.users TO {user} WITH GRANT OPTION",
        &["{user}", "GRANT OPTION"],
    ),
    sql(
        "future tables anywhere are opened",
        Anyone,
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {stranger}",
        &["{owner}", "{stranger}"],
    ),
    sql("the group role may log in", Anyone, "ALTER ROLE {group} LOGIN", &["{group}", "LOGIN"]),
    sql("the group role joins another", Anyone, "GRANT pg_read_all_data TO {group}", &["{group}", "pg_read_all_data"]),
    sql(
        "the tenant gets a table of somebody else's",
        Anyone,
        "CREATE TABLE IF NOT EXISTS public.elsewhere (id int); GRANT SELECT ON public.elsewhere TO {user}",
        &["{user}", "elsewhere"],
    ),
    sql("the tenant may make schemas", Anyone, "GRANT CREATE ON DATABASE {database} TO {user}", &["{user}", "CREATE"]),
    sql(
        "the tenant may pass the group role on",
        Anyone,
        "GRANT {group} TO {user} WITH ADMIN OPTION",
        &["{user}", "ADMIN"],
    ),
];

impl Kind {
    pub fn fits(&self, victim: &Victim) -> bool {
        match self.to {
            Anyone => true,
            NotOwner => victim.access != "owner",
            OwnOwner => victim.access != "owner" && !victim.owner_is_shared,
        }
    }

    /// The SQL, for this tenant. `None` where it is no SQL.
    pub fn sql(&self, victim: &Victim) -> Option<String> {
        match self.how {
            How::Sql(sql) => Some(fill(sql, victim, &tenantry::model::ident)),
            How::SecretDeleted | How::SecretRewritten => None,
        }
    }

    /// Whether a plan (as JSON) has a change, of this tenant or of the database, with the kind's words.
    pub fn is_in(&self, plan: &Value, victim: &Victim) -> bool {
        let wanted: Vec<String> = self.says.iter().map(|words| fill(words, victim, &str::to_owned)).collect();
        lines(plan, &victim.key).iter().any(|line| wanted.iter().all(|words| line.contains(words)))
    }
}

/// What a plan says of a tenant and of the database, a change a line: "what: before → after".
pub fn lines(plan: &Value, key: &str) -> BTreeSet<String> {
    let tenant = plan["tenants"].as_array().unwrap().iter().find(|tenant| tenant["tenant"] == key);
    let changes = tenant.and_then(|tenant| tenant["changes"].as_array()).into_iter().flatten();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line =
        |change: &Value| format!("{}: {} → {}", word(&change["what"]), word(&change["before"]), word(&change["after"]));
    let database = plan["database_changes"].as_array().unwrap().iter().map(|change| word(&change["detail"]));
    changes.map(line).chain(database).collect()
}

fn fill(text: &str, victim: &Victim, quote: &dyn Fn(&str) -> String) -> String {
    let group = tenantry::plan::group_role(&victim.database);
    let other = OTHER.to_owned();
    let names = [
        ("{key}", &victim.key),
        ("{schema}", &victim.schema),
        ("{user}", &victim.user),
        ("{owner}", &victim.owner),
        ("{database}", &victim.database),
        ("{stranger}", &victim.stranger),
        ("{group}", &group),
        ("{other}", &other),
    ];
    // In one pass: a name may look like a placeholder.
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let (placeholder, name) = names.iter().find(|(placeholder, _)| rest.starts_with(placeholder)).unwrap();
        filled.push_str(&quote(name));
        rest = &rest[placeholder.len()..];
    }
    filled + rest
}
