//! Opening a connection the way libpq does: which hosts, in which order, with and without TLS.

use std::sync::mpsc;
use std::time::Duration;
use std::{fmt, io, thread};

use postgres::config::{SslMode as Driver, SslNegotiation};
use postgres::{CancelToken, Client, Config, NoTls};
use rand::seq::SliceRandom;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::endpoint::Endpoint;
use super::error::DatabaseError;
use super::hints;
use super::place::Place;
use super::session;
use super::sslmode::SslMode;
use super::target::Target;
use super::text::Ask;
use super::tls::TlsError;
use super::tuning::Wanting;

/// The session that holds the lock of apply is silent while tenants are processed, and a NAT forgets a connection that is
/// idle for some minutes: 350 seconds in AWS, 4 minutes in Azure. `keepalives_idle` says otherwise.
const KEEPALIVES_IDLE: Duration = Duration::from_secs(60);

/// A line that is dead is known for one a few of these later.
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(15);

/// A connection that could not be opened.
#[derive(Debug)]
pub struct ConnectError {
    to: String,
    cause: Cause,
    hint: Option<String>,
}

#[derive(Debug)]
enum Cause {
    Tls(TlsError),
    Database(DatabaseError),
    /// Nobody answered in time.
    Silent(io::Error),
    /// No host was what `target_session_attrs` asks for.
    Unsuitable(&'static str),
}

impl ConnectError {
    /// What to type or to set.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// What the server or the network said; None when it did not come to that.
    pub fn database(&self) -> Option<&DatabaseError> {
        if let Cause::Database(error) = &self.cause { Some(error) } else { None }
    }

    pub fn sqlstate(&self) -> Option<&str> {
        self.database().and_then(DatabaseError::sqlstate)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Unsuitable(wanted) => write!(f, "no server at {} is {wanted}", self.to),
            _ => write!(f, "cannot connect to {}", self.to),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Tls(error) => Some(error),
            Cause::Database(error) => Some(error),
            Cause::Silent(error) => Some(error),
            Cause::Unsuitable(_) => None,
        }
    }
}

impl Target {
    /// Logs in; the session is as the role's and the database's settings have it.
    pub fn connect(&self) -> Result<Client, ConnectError> {
        self.connect_to().map(|(client, _)| client)
    }

    /// Logs in and makes the session ours: see [`session::prepare`].
    pub fn connect_admin(&self) -> Result<Client, ConnectError> {
        self.connect_admin_to().map(|(client, _)| client)
    }

    /// The same, and says at which of the hosts.
    pub fn connect_admin_to(&self) -> Result<(Client, Endpoint), ConnectError> {
        let (mut client, endpoint) = self.connect_to()?;
        match session::prepare(&mut client) {
            Ok(()) => Ok((client, endpoint)),
            Err(error) => {
                let place = self.places.iter().find(|place| place.host == endpoint.host && place.port == endpoint.port);
                let hint = session::hint(&error, &self.user, &self.database);
                Err(self.failed(place.unwrap_or(&self.places[0]), Cause::Database(error), hint))
            }
        }
    }

    /// Logs in, and says at which of the hosts.
    pub fn connect_to(&self) -> Result<(Client, Endpoint), ConnectError> {
        let mut places: Vec<&Place> = self.places.iter().collect();
        if self.tuning.shuffle {
            places.shuffle(&mut rand::rng());
        }
        match self.tuning.wanted {
            Wanting::PreferStandby => {
                self.first_that(&places, Wanting::Standby).or_else(|_| self.first_that(&places, Wanting::Any))
            }
            wanted => self.first_that(&places, wanted),
        }
    }

    fn first_that(&self, places: &[&Place], wanted: Wanting) -> Result<(Client, Endpoint), ConnectError> {
        let mut failure = None;
        for place in places {
            match self.connect_at(place) {
                Ok(mut client) => match suits(&mut client, wanted) {
                    Ok(true) => return Ok((client, Endpoint { host: place.host.clone(), port: place.port })),
                    Ok(false) => failure = Some(self.failed(place, Cause::Unsuitable(describe(wanted)), None)),
                    Err(error) => failure = Some(self.failed(place, Cause::Database(error), None)),
                },
                // A server that refuses the login ends the search, as in libpq, unless it is only starting or stopping.
                Err(error) if error.sqlstate().is_some_and(|state| state != "57P03") => return Err(error),
                Err(error) => failure = Some(error),
            }
        }
        // There is at least one place, so there is a failure by now.
        Err(failure.unwrap_or_else(|| self.failed(&self.places[0], Cause::Unsuitable(describe(wanted)), None)))
    }

    fn connect_at(&self, place: &Place) -> Result<Client, ConnectError> {
        let mode = if place.is_socket() { SslMode::Disable } else { self.sslmode() };
        let attempt = |driver| self.attempt(place, driver);
        match mode {
            SslMode::Disable => attempt(Driver::Disable),
            SslMode::Allow => attempt(Driver::Disable).or_else(|plain| {
                if plain.sqlstate() == Some("28000") { attempt(Driver::Require).map_err(|_| plain) } else { Err(plain) }
            }),
            SslMode::Prefer => attempt(Driver::Prefer).or_else(|encrypted| {
                // Not after a wrong password: that would only send it again, unencrypted.
                let again = encrypted.sqlstate() == Some("28000") || encrypted.database().is_some_and(is_handshake);
                if again { attempt(Driver::Disable).map_err(|_| encrypted) } else { Err(encrypted) }
            }),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => attempt(Driver::Require),
        }
    }

    fn attempt(&self, place: &Place, mode: Driver) -> Result<Client, ConnectError> {
        let config = self.config(place, mode);
        let tls = if mode == Driver::Disable {
            None
        } else {
            let tls = self.tls.config().map_err(|error| {
                let hint = error.hint();
                self.failed(place, Cause::Tls(error), hint)
            })?;
            Some(MakeRustlsConnect::new(tls))
        };
        let log_in = move || match tls {
            None => config.connect(NoTls),
            Some(tls) => config.connect(tls),
        };
        let result = match self.tuning.connect_timeout {
            None => log_in(),
            Some(timeout) => within(timeout, log_in).map_err(|error| {
                let hint = hints::silent(place);
                self.failed(place, Cause::Silent(error), Some(hint))
            })?,
        };
        result.map_err(|error| {
            let hint = hints::hint(self, place, &error);
            self.failed(place, Cause::Database(error.into()), hint)
        })
    }

    /// Has the server cancel what a session of ours is doing, as libpq does: on a connection of its own.
    ///
    /// # Errors
    /// What stood in the way; whether there was anything to cancel is never told.
    pub(crate) fn cancel(&self, token: &CancelToken) -> Result<(), DatabaseError> {
        // The token knows whether its session is encrypted.
        match self.tls.config() {
            Ok(tls) => token.cancel_query(MakeRustlsConnect::new(tls)),
            Err(_) => token.cancel_query(NoTls),
        }
        .map_err(DatabaseError::from)
    }

    fn config(&self, place: &Place, mode: Driver) -> Config {
        let mut config = Config::new();
        config.host(&place.host).port(place.port).user(&self.user).dbname(&self.database);
        config.application_name(&self.application_name).ssl_mode(mode);
        config.channel_binding(self.tuning.channel_binding).keepalives(self.tuning.keepalives);
        if let Some(address) = place.hostaddr {
            config.hostaddr(address);
        }
        if let Some(password) =
            place.password.as_ref().map(|(password, _): &(SecretString, _)| password.expose_secret())
        {
            config.password(password);
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        if self.tls.settings.direct && mode != Driver::Disable {
            config.ssl_negotiation(SslNegotiation::Direct);
        }
        if let Some(timeout) = self.tuning.connect_timeout {
            config.connect_timeout(timeout);
        }
        if let Some(timeout) = self.tuning.tcp_user_timeout {
            config.tcp_user_timeout(timeout);
        }
        config.keepalives_idle(self.tuning.keepalives_idle.unwrap_or(KEEPALIVES_IDLE));
        config.keepalives_interval(self.tuning.keepalives_interval.unwrap_or(KEEPALIVES_INTERVAL));
        if let Some(count) = self.tuning.keepalives_count {
            config.keepalives_retries(count);
        }
        config
    }

    fn failed(&self, place: &Place, cause: Cause, hint: Option<String>) -> ConnectError {
        // The one host that failed, not the whole list.
        let to = match &cause {
            Cause::Unsuitable(_) => self.to_string(),
            _ => Self { places: vec![place.clone()], ..self.clone() }.to_string(),
        };
        ConnectError { to, cause, hint }
    }
}

/// The driver's own timeout ends with the TCP connection: whoever listens but never answers would block us forever, before
/// TLS, within it or after it. What is not done in time is left to itself, and ends with the process at the latest.
fn within<T: Send + 'static>(timeout: Duration, log_in: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (done, result) = mpsc::channel();
    thread::Builder::new().name("log in".into()).spawn(move || drop(done.send(log_in())))?;
    result.recv_timeout(timeout).map_err(|_| {
        let words = format!("no answer within {} s (connect_timeout)", timeout.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, words)
    })
}

fn is_handshake(error: &DatabaseError) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

fn suits(client: &mut Client, wanted: Wanting) -> Result<bool, DatabaseError> {
    let mut ask = |sql: &str| -> Result<bool, DatabaseError> { Ok(client.ask_one(sql, &[])?.get(0)) };
    let mut read_only = || ask("SELECT pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool");
    match wanted {
        Wanting::Any | Wanting::PreferStandby => Ok(true),
        Wanting::ReadWrite => read_only().map(|yes| !yes),
        Wanting::ReadOnly => read_only(),
        Wanting::Primary => ask("SELECT pg_catalog.pg_is_in_recovery()").map(|yes| !yes),
        Wanting::Standby => ask("SELECT pg_catalog.pg_is_in_recovery()"),
    }
}

fn describe(wanted: Wanting) -> &'static str {
    match wanted {
        Wanting::Any | Wanting::PreferStandby => "there",
        Wanting::ReadWrite => "open for writing (target_session_attrs=read-write)",
        Wanting::ReadOnly => "read-only (target_session_attrs=read-only)",
        Wanting::Primary => "a primary (target_session_attrs=primary)",
        Wanting::Standby => "a standby (target_session_attrs=standby)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_is_idle_is_kept_alive_unless_said_otherwise() {
        let idle = |url: &str| {
            let target = Target::find(Some(url), None, &|_| None, None).unwrap();
            target.config(&target.places[0], Driver::Disable).get_keepalives_idle()
        };
        assert_eq!(idle("postgresql://a@db/d"), KEEPALIVES_IDLE);
        assert_eq!(idle("postgresql://a@db/d?keepalives_idle=7200"), Duration::from_secs(7200));
    }
}
