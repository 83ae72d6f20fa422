//! What every session of ours starts from, whatever the role's and the database's own settings say.

use postgres::GenericClient;

use super::error::DatabaseError;

/// A tenant may create in its schema, so no name of ours is looked up anywhere but in pg_catalog. The formats decide how
/// the catalogs print defaults and expressions, which we compare. Sent after connecting, because poolers refuse
/// startup parameters that they do not know. The view pg_settings is not asked which of them there are: everybody holds
/// UPDATE on it, so a tenant can LOCK it against all readers.
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
DO $$ DECLARE n text; BEGIN
  FOREACH n IN ARRAY ARRAY['idle_session_timeout', 'transaction_timeout'] LOOP
    IF pg_catalog.current_setting(n, true) IS NOT NULL THEN PERFORM pg_catalog.set_config(n, '0', false); END IF;
  END LOOP;
END $$";

/// Makes the session ours. Not for tenants' logins: those must land in the tenant's own search_path.
pub fn prepare(client: &mut impl GenericClient) -> Result<(), DatabaseError> {
    Ok(client.batch_execute(SETTINGS)?)
}
