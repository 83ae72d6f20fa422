//! What every session of ours starts from, whatever the role's and the database's own settings say.

use postgres::GenericClient;

use super::error::DatabaseError;

/// A tenant may create in its schema, so no name of ours is looked up anywhere but in pg_catalog. Sent after connecting,
/// because poolers refuse startup parameters that they do not know, and whenever the session is to be ours again. No DO
/// block: an administrator may have taken PL/pgSQL from us. The view pg_settings is not asked which parameters there are:
/// everybody holds UPDATE on it, so a tenant can LOCK it against all readers.
///
/// RESET ROLE: an administrator may log in as one role and work as another (`ALTER ROLE deploy SET role = ops`), and
/// DISCARD ALL ends that. It leads back to whom the login led to.
///
/// Set is what decides what a statement means, whether it is allowed, how long it may take, what becomes of its effects,
/// and how the catalogs print what we compare; docs/connecting.md says so to people. What decides how fast it is (planner costs,
/// memory, workers, storage) is the administrator's, and so are locale and text search.
const SETTINGS: &str = "\
SET statement_timeout = 0;
RESET ROLE;
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET exit_on_error = off;
SET row_security = on;
SET check_function_bodies = on;
SET standard_conforming_strings = on;
SET backslash_quote = safe_encoding;
SET array_nulls = on;
SET transform_null_equals = off;
SET quote_all_identifiers = off;
SET xmloption = content;
SET xmlbinary = base64;
SET bytea_output = hex;
SET extra_float_digits = 1;
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = postgres;
SET TimeZone = 'UTC';
SET jit = off;
SET debug_print_parse = off;
SET debug_print_rewritten = off;
SET debug_print_plan = off;
SELECT pg_catalog.set_config(name, value, false) FROM (VALUES
  ('idle_session_timeout', '0'),
  ('transaction_timeout', '0'),
  ('createrole_self_grant', ''),
  ('restrict_nonsystem_relation_kind', ''),
  ('default_table_access_method', 'heap'),
  ('session_replication_role', 'origin')
) AS wanted (name, value)
WHERE pg_catalog.current_setting(name, true) <> value;
SELECT pg_catalog.set_config('client_encoding',
  CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false);
SELECT pg_catalog.set_config('synchronous_commit', 'local', false)
WHERE pg_catalog.current_setting('synchronous_commit') = 'off';
SELECT pg_catalog.set_config('default_tablespace', '', false)
WHERE pg_catalog.current_setting('default_tablespace') <> '' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_tablespace t, pg_catalog.aclexplode(t.spcacl) a
  WHERE t.spcname = pg_catalog.current_setting('default_tablespace') AND a.grantee = 0 AND a.privilege_type = 'CREATE')";

/// Makes the session ours. Not for tenants' logins: those must land in the tenant's own search_path.
///
/// UTF-8 is what the driver speaks; but what a database in SQL_ASCII holds is checked against it on its way, and refused. See
/// `text.rs`.
///
/// Those that are not there on every version, or not ours to set, are set only where they say otherwise: without
/// `createrole_self_grant = ''` an admin would be a member of every role it makes. A COMMIT that is told to us must
/// outlive a crash of the server, because the secret store is written by it; how many standbys must have it is the
/// administrator's to say. Tables go where `default_tablespace` says if everybody may put them there; otherwise the roles
/// that own them would be refused.
pub fn prepare(client: &mut impl GenericClient) -> Result<(), DatabaseError> {
    Ok(client.batch_execute(SETTINGS)?)
}

/// What to type where [`prepare`] was refused: what only a superuser may set was set against us.
pub(super) fn hint(error: &DatabaseError, user: &str, database: &str) -> Option<String> {
    let parameter = ["session_replication_role"].into_iter().find(|name| error.to_string().contains(name))?;
    (error.sqlstate() == Some("42501")).then(|| {
        format!("as a superuser: ALTER ROLE {user} RESET {parameter}; ALTER DATABASE {database} RESET {parameter}")
    })
}

/// What programs that log in as a role of ours (pg_dump, pg_restore) do not set for themselves and depend on: what a row
/// means when it is read back, and whether it may be written. For a role, because a role's own settings go before the
/// database's.
#[must_use]
pub(crate) fn for_programs(role: &str) -> String {
    [
        "default_transaction_isolation = 'read committed'",
        "default_transaction_read_only = off",
        "default_transaction_deferrable = off",
        "array_nulls = on",
        "transform_null_equals = off",
        "backslash_quote = safe_encoding",
        "check_function_bodies = off",
        "exit_on_error = off",
        // As `prepare` left it: where everybody may create tables.
        "default_tablespace FROM CURRENT",
    ]
    .map(|setting| format!("ALTER ROLE {role} SET {setting}"))
    .join("; ")
}
