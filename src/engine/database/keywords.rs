//! The connection parameters that libpq knows: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>.

/// What becomes of a parameter that libpq knows.
pub(super) enum Support {
    Used,
    /// Changes nothing here, for a reason given beside it.
    Ignored,
    /// Asks for something that the driver cannot do, unless it has one of these values. Ignoring the rest could be
    /// less secure than what was asked for.
    OnlyAs(&'static [&'static str]),
}
use Support::{Ignored, OnlyAs, Used};

/// Every parameter of libpq 18, its environment variable, and what becomes of it.
pub(super) const KEYWORDS: &[(&str, &str, Support)] = &[
    ("application_name", "PGAPPNAME", Used),
    ("channel_binding", "PGCHANNELBINDING", Used),
    ("client_encoding", "", Ignored), // The driver always speaks UTF8.
    ("connect_timeout", "PGCONNECT_TIMEOUT", Used),
    ("dbname", "PGDATABASE", Used),
    ("fallback_application_name", "", Used),
    ("gssdelegation", "", Ignored), // No GSSAPI in the driver.
    ("gssencmode", "PGGSSENCMODE", OnlyAs(&["disable", "prefer"])),
    ("gsslib", "", Ignored),
    ("host", "PGHOST", Used),
    ("hostaddr", "PGHOSTADDR", Used),
    ("keepalives", "", Used),
    ("keepalives_count", "", Used),
    ("keepalives_idle", "", Used),
    ("keepalives_interval", "", Used),
    ("krbsrvname", "", Ignored),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Used),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Ignored), // The driver speaks 3.0, which every limit allows.
    ("min_protocol_version", "PGMINPROTOCOLVERSION", OnlyAs(&["3.0"])),
    ("oauth_client_id", "", OnlyAs(&[])),
    ("oauth_client_secret", "", OnlyAs(&[])),
    ("oauth_issuer", "", OnlyAs(&[])),
    ("oauth_scope", "", OnlyAs(&[])),
    ("options", "PGOPTIONS", Used),
    ("passfile", "PGPASSFILE", Used),
    ("password", "PGPASSWORD", Used),
    ("port", "PGPORT", Used),
    ("replication", "", OnlyAs(&["false", "off", "no", "0"])),
    ("require_auth", "PGREQUIREAUTH", OnlyAs(&[])),
    ("requirepeer", "PGREQUIREPEER", OnlyAs(&[])),
    ("scram_client_key", "", OnlyAs(&[])),
    ("scram_server_key", "", OnlyAs(&[])),
    ("service", "PGSERVICE", Used),
    ("servicefile", "PGSERVICEFILE", Used),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Used),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Used),
    ("sslcert", "PGSSLCERT", Used),
    ("sslcertmode", "PGSSLCERTMODE", OnlyAs(&["allow", "disable"])),
    ("sslcompression", "", Ignored), // Insecure, and ignored by libpq as well since PostgreSQL 14.
    ("sslcrl", "PGSSLCRL", Used),
    ("sslcrldir", "PGSSLCRLDIR", OnlyAs(&[])),
    ("sslkey", "PGSSLKEY", Used),
    ("sslkeylogfile", "", OnlyAs(&[])),
    ("sslmode", "PGSSLMODE", Used),
    ("sslnegotiation", "PGSSLNEGOTIATION", Used),
    ("sslpassword", "", OnlyAs(&[])),
    ("sslrootcert", "PGSSLROOTCERT", Used),
    ("sslsni", "PGSSLSNI", Used),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Used),
    ("tcp_user_timeout", "", Used),
    ("user", "PGUSER", Used),
];
