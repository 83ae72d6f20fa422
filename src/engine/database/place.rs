//! The hosts to try, in libpq's order.

use std::net::IpAddr;
use std::path::Path;

use secrecy::SecretString;

use super::params::Params;
use super::target_error::TargetError;

/// One of the hosts to try.
#[derive(Clone)]
pub(super) struct Place {
    /// A host name, an address, or a socket's directory.
    pub(super) host: String,
    pub(super) hostaddr: Option<IpAddr>,
    pub(super) port: u16,
    /// With where it came from.
    pub(super) password: Option<(SecretString, String)>,
}

impl Place {
    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/') && self.hostaddr.is_none()
    }
}

/// Debian's libpq looks in the first, PostgreSQL's own in the last.
pub(super) const SOCKET_DIRECTORIES: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

fn default_host(port: u16) -> String {
    let of = |file: String| SOCKET_DIRECTORIES.into_iter().find(|directory| Path::new(directory).join(&file).exists());
    of(format!(".s.PGSQL.{port}")).or_else(|| of(String::new())).unwrap_or("/tmp").to_owned()
}

pub(super) fn places(params: &Params) -> Result<Vec<Place>, TargetError> {
    let list =
        |name| params.get(name).map(|list| list.split(',').map(str::trim).collect::<Vec<_>>()).unwrap_or_default();
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = hosts.len().max(addresses.len()).max(1);
    for (name, list) in [("host", &hosts), ("hostaddr", &addresses)] {
        if !list.is_empty() && list.len() != count {
            return Err(TargetError::Counts { name, count: list.len(), hosts: count });
        }
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(TargetError::Counts { name: "port", count: ports.len(), hosts: count });
    }
    let one = |index: usize| {
        let port = match ports.get(index).or(ports.first()).copied().unwrap_or_default() {
            "" => 5432,
            text => text
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| params.invalid("port", "a number from 1 to 65535"))?,
        };
        let hostaddr = match addresses.get(index).copied().unwrap_or_default() {
            "" => None,
            text => Some(text.parse::<IpAddr>().map_err(|_| params.invalid("hostaddr", "an IPv4 or IPv6 address"))?),
        };
        let host = match (hosts.get(index).copied().unwrap_or_default(), hostaddr) {
            ("", Some(address)) => address.to_string(),
            ("", None) => default_host(port),
            (host, _) => host.to_owned(),
        };
        Ok(Place { host, hostaddr, port, password: None })
    };
    (0..count).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(String, u16)>, String> {
        let params = Params::parse(text, "--database-url").unwrap();
        let places = places(&params).map_err(|error| error.to_string())?;
        Ok(places.into_iter().map(|place| (place.host, place.port)).collect())
    }

    #[test]
    fn one_port_is_everyones_and_several_are_counted() {
        assert_eq!(read("host=a,b port=1").unwrap(), [("a".into(), 1), ("b".into(), 1)]);
        assert_eq!(read("postgresql://a:1,b/").unwrap(), [("a".into(), 1), ("b".into(), 5432)]);
        assert_eq!(read("host=a,b,c port=1,2").unwrap_err(), "3 hosts are named, but 2 ports");
    }

    #[test]
    fn an_address_alone_is_its_own_host_name() {
        assert_eq!(read("hostaddr=::1").unwrap(), [("::1".into(), 5432)]);
        assert_eq!(read("hostaddr=db").unwrap_err(), "hostaddr from --database-url cannot be \"db\"");
    }

    #[test]
    fn without_a_host_it_is_the_local_socket() {
        assert!(read("user=a").unwrap()[0].0.starts_with('/'));
    }

    #[test]
    fn a_bad_port_names_where_it_came_from() {
        assert_eq!(read("port=70000").unwrap_err(), "port from --database-url is not valid");
    }
}
