//! Several servers in one url: which of them this is, and which one tenants are sent to.

use std::collections::BTreeSet;
use std::time::Duration;

use postgres::Client;

use super::endpoint::Endpoint;
use super::target::Target;
use crate::core::model::{Observed, State};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// For a server that may no longer exist: it must not hold up a plan.
const PATIENCE: Duration = Duration::from_secs(3);

/// Before anything is changed, or looked at to be changed.
///
/// # Errors
/// When the server is a standby, which changes nothing.
pub fn refuse_a_standby(client: &mut Client, target: &Target) -> Result<(), Error> {
    let row =
        client.ask_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).doing("checking whether this is a standby")?;
    if !row.get::<_, bool>(0) {
        return Ok(());
    }
    Err(Error::refused(
        format!("{}:{} is a standby, which accepts no writes; nothing was changed", target.host(), target.port()),
        "specify the primary in the url, or all servers and target_session_attrs=read-write: \
         postgresql://admin@db1,db2/app?target_session_attrs=read-write",
    ))
}

impl Target {
    /// Every address that it names, `host:port`, sorted. A socket's directory is the machine itself.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        let named = |host: &str| if host.starts_with(['/', '@']) { "localhost".to_owned() } else { host.to_owned() };
        let all: BTreeSet<String> =
            self.places.iter().map(|place| format!("{}:{}", named(&place.host), place.port)).collect();
        all.into_iter().collect()
    }

    /// The server that tenants' secrets point to, if it is another one of ours than the one we are connected to, and just as good:
    /// the same database, open for writing. Then they stay as they are; two poolers before one server, say, or
    /// `load_balance_hosts=random`, would otherwise change every secret each time. After a fail-over the old primary is gone
    /// or a standby, and they follow the new one.
    pub fn still_serving(&self, observed: &Observed) -> Option<Endpoint> {
        let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
        let rows = rows.filter(|row| row.state == State::Active && row.secret.version.is_some());
        let places: BTreeSet<(&str, u16)> =
            rows.map(|row| (row.secret.fields.host.as_str(), row.secret.fields.port)).collect();
        let (host, port) = places.first().filter(|_| places.len() == 1)?;
        let server = &observed.server;
        let other = Endpoint { host: (*host).to_owned(), port: *port };
        let mut target = self.at(&other);
        if (server.host.as_str(), server.port) == (*host, *port) || server.in_recovery || target.places.is_empty() {
            return None;
        }
        target.tuning.connect_timeout = Some(target.tuning.connect_timeout.map_or(PATIENCE, |set| set.min(PATIENCE)));
        let mut client = target.connect_admin().ok()?;
        let ask = "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text, pg_catalog.pg_is_in_recovery()";
        let row = client.ask_one(ask, &[]).ok()?;
        (row.get::<_, String>(0) == server.system_identifier && !row.get::<_, bool>(1)).then_some(other)
    }
}
