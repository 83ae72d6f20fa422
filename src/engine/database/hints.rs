//! What to do when a connection fails: which parameter to set, which command to type.

use std::error::Error;
use std::io;

use postgres::error::DbError;
use rustls::{CertificateError, Error as Tls};

use super::place::Place;
use super::target::Target;
use crate::core::model::ident;

/// Where nobody says whose limit it is.
pub(crate) const TOO_MANY_CONNECTIONS: &str =
    "lower --parallelism, or raise the limit of the server, or of the pooler in front of it";

pub(super) fn hint(target: &Target, place: &Place, error: &postgres::Error) -> Option<String> {
    if let Some(server) = error.as_db_error() {
        return of_server(target, place, server.code().code(), &Said::of(server));
    }
    if let Some(tls) = find::<Tls>(error) {
        return of_tls(tls);
    }
    let text = chain(error);
    if text.contains("server does not support TLS") {
        return Some(
            "set sslmode=prefer or sslmode=disable if the network may be trusted, or ssl = on at the server".into(),
        );
    }
    if text.contains("password missing") {
        return Some(missing_password(target));
    }
    if text.contains("did not use channel binding") {
        return Some("set channel_binding=prefer, or have the server use TLS and scram-sha-256".into());
    }
    let io = find::<io::Error>(error)?;
    of_io(place, io, &text)
}

/// What the server said, in its own language, and the function of its source that said it, which is the same in all of
/// them. A pooler names none.
struct Said<'e> {
    message: &'e str,
    routine: &'e str,
}

impl<'e> Said<'e> {
    fn of(error: &'e DbError) -> Self {
        Self { message: error.message(), routine: error.routine().unwrap_or_default() }
    }

    fn contains(&self, words: &str) -> bool {
        self.message.contains(words)
    }
}

fn of_server(target: &Target, place: &Place, sqlstate: &str, message: &Said<'_>) -> Option<String> {
    let (user, database) = (&target.user, &target.database);
    Some(match sqlstate {
        "28P01" => match &place.password {
            Some((_, origin)) => format!("check the user {user} and its password, which came from {origin}"),
            None => missing_password(target),
        },
        "28000" if message.contains("valid client certificate") => {
            "set sslcert and sslkey to a client certificate".into()
        }
        "28000" if ["no pg_hba.conf entry", "pg_hba.conf rejects"].iter().any(|said| message.contains(said)) => {
            let unencrypted = message.contains("no encryption") || message.contains("SSL off");
            let tls = if unencrypted { "set sslmode=require if the server wants encryption, or " } else { "" };
            let from = if place.is_socket() { "local connections" } else { "this address" };
            format!(
                "{tls}add a line for {from}, user {user} and database {database} to its pg_hba.conf, then SELECT pg_reload_conf()"
            )
        }
        "28000" if message.contains("does not exist") => {
            "specify another user: --database-url postgresql://user@host/database".into()
        }
        "28000" if message.contains("Peer authentication") => {
            format!("peer authentication needs the operating-system user {user}: specify another user, or a host")
        }
        "28000" if message.contains("is not permitted to log in") => format!("ALTER ROLE {user} LOGIN"),
        // The same in another language.
        "28000" if message.routine == "ClientAuthentication" => format!(
            "its pg_hba.conf does not let user {user} in from here to database {database}, or only with encryption or a client certificate"
        ),
        "28000" if message.routine == "InitializeSessionUserId" => {
            format!("there is no role {user}, or it may not log in: ALTER ROLE {user} LOGIN")
        }
        "3D000" => format!("specify another database, or create it: createdb {database}"),
        "42501" => format!("GRANT CONNECT ON DATABASE {database} TO {user}"),
        "53200" => "its memory or its lock table is full: end the session that holds most locks, from one that is still open or by a signal to its process; raise max_locks_per_transaction".into(),
        // Which limit it is only the place says: there is one SQLSTATE for all of them.
        "53300" => match message.routine {
            "InitializeSessionUserId" => format!(
                "the limit is the role's own: lower --parallelism, or ALTER ROLE {} CONNECTION LIMIT …",
                ident(user)
            ),
            "CheckMyDatabase" => format!(
                "the limit is the database's own: lower --parallelism, or ALTER DATABASE {} CONNECTION LIMIT …",
                ident(database)
            ),
            "InitProcess" | "InitPostgres" | "ProcessStartupPacket" | "BackendInitialize" => {
                "the limit is the server's: lower --parallelism, or raise its max_connections".into()
            }
            _ => TOO_MANY_CONNECTIONS.into(),
        },
        "57P03" => "the server is starting or stopping: try again in a moment".into(),
        "08P01" if message.contains("startup parameter") => {
            "a pooler rejects it: omit options from the URL and PGOPTIONS".into()
        }
        _ => return None,
    })
}

fn of_tls(error: &Tls) -> Option<String> {
    Some(match error {
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "set sslrootcert to the certificate of the CA that issued the server's".into()
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "connect using a name that is in the server's certificate, or set sslmode=verify-ca to accept any".into(),
        Tls::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "renew the server's certificate, or correct this machine's clock".into(),
        Tls::InvalidCertificate(CertificateError::Other(other)) if other.to_string().contains("Version") => {
            "the server's certificate is X.509 version 1: reissue it with an extension, such as subjectAltName".into()
        }
        Tls::AlertReceived(_) => {
            "the server rejected our client certificate or TLS settings: check sslcert, sslkey and its ssl_ca_file"
                .into()
        }
        _ => return None,
    })
}

fn of_io(place: &Place, error: &io::Error, text: &str) -> Option<String> {
    let (host, port) = (&place.host, place.port);
    Some(match error.kind() {
        io::ErrorKind::NotFound if place.is_socket() => {
            format!("no server listens on the socket {host}/.s.PGSQL.{port}: specify one with --database-url or PGHOST")
        }
        io::ErrorKind::PermissionDenied if place.is_socket() => {
            format!("this user may not open {host}/.s.PGSQL.{port}")
        }
        io::ErrorKind::ConnectionRefused => {
            format!("is PostgreSQL running there? try: pg_isready -h {host} -p {port}; see its listen_addresses")
        }
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("no answer from {host}, port {port}: check the network, its firewall, and connect_timeout")
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            format!(
                "what listens on {host}, port {port} closed the connection: is it PostgreSQL, and does its log say why?"
            )
        }
        _ if text.contains("lookup") || text.contains("resolve") => {
            format!("the host name {host} cannot be resolved: check its spelling")
        }
        _ => return None,
    })
}

/// For who was waited for in vain.
pub(super) fn silent(place: &Place) -> String {
    let (host, port) = (&place.host, place.port);
    format!(
        "what listens on {host}, port {port} does not answer: is it PostgreSQL, and not overloaded? connect_timeout sets how long to wait"
    )
}

fn missing_password(target: &Target) -> String {
    target
        .passed_over
        .clone()
        .unwrap_or_else(|| format!("put the password of {} in ~/.pgpass (chmod 0600) or PGPASSWORD", target.user))
}

/// The error of that type somewhere below; an `io::Error` leaves what it wraps out of its sources.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    wrapped.and_then(|inner| find::<E>(inner)).or_else(|| error.source().and_then(find::<E>))
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::find(Some(url), None, &|_| None, None).unwrap()
    }

    fn said(message: &str) -> Said<'_> {
        Said { message, routine: "" }
    }

    #[test]
    fn too_many_connections_names_the_limit_by_the_place_and_not_by_the_words() {
        let target = target("postgresql://a@db/app");
        let hint = |routine| {
            let said = Said { message: "zu viele Verbindungen", routine };
            of_server(&target, &target.places[0], "53300", &said).unwrap()
        };
        assert!(hint("InitializeSessionUserId").contains("ALTER ROLE \"a\" CONNECTION LIMIT"));
        assert!(hint("CheckMyDatabase").contains("ALTER DATABASE \"app\" CONNECTION LIMIT"));
        assert!(hint("InitProcess").contains("max_connections"));
        assert!(hint("").contains("pooler"));
    }

    #[test]
    fn a_wrong_password_names_where_it_came_from() {
        let target = target("postgresql://a:b@db/app");
        let hint = of_server(&target, &target.places[0], "28P01", &said("password authentication failed")).unwrap();
        assert_eq!(hint, "check the user a and its password, which came from --database-url");
    }

    #[test]
    fn a_missing_pg_hba_line_tells_encryption_from_address() {
        let target = target("postgresql://a@db/app");
        let hint = |message| of_server(&target, &target.places[0], "28000", &said(message)).unwrap();
        assert!(hint("no pg_hba.conf entry for host \"1.2.3.4\", no encryption").starts_with("set sslmode=require"));
        assert!(
            hint("no pg_hba.conf entry for host \"1.2.3.4\", SSL encryption")
                .starts_with("add a line for this address, user a")
        );
    }

    #[test]
    fn a_tls_error_is_found_inside_an_io_error() {
        let inner = Tls::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = io::Error::new(io::ErrorKind::InvalidData, inner);
        assert!(of_tls(find::<Tls>(&error).unwrap()).unwrap().contains("sslrootcert"));
    }
}
