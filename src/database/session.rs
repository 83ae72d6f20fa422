//! What every session of ours starts from, whatever the role's and the database's own settings say.

use postgres::GenericClient;

use super::error::DatabaseError;

/// A tenant may create in its schema, so no name of ours is looked up anywhere but in pg_catalog. The formats decide how
/// the catalogs print defaults and expressions, which we compare. Sent after connecting, because poolers refuse
/// startup parameters that they do not know.
const SETTINGS: &str = "\
SET search_path = pg_catalog, pg_temp;
SET client_min_messages = warning;
SET standard_conforming_strings = on;
SET quote_all_identifiers = off;
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = postgres;
SET TimeZone = 'UTC';
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
DO $$ BEGIN
  PERFORM pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
    WHERE name OPERATOR(pg_catalog.=) ANY ('{idle_session_timeout,transaction_timeout}');
END $$";

/// Makes the session ours. Not for tenants' logins: those must land in the tenant's own search_path.
pub fn prepare(client: &mut impl GenericClient) -> Result<(), DatabaseError> {
    Ok(client.batch_execute(SETTINGS)?)
}
