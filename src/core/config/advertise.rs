//! `[database] advertise`: what stands in every tenant's secret, so a slip here would lock all of them out.

use std::net::Ipv6Addr;

use super::fault::Faults;
use super::places::Places;
use crate::core::model::Advertise;

/// As in DNS.
const LONGEST_HOST: usize = 253;

pub(super) fn check(advertise: &Advertise, places: &Places<'_>, faults: &mut Faults) {
    for (key, message, hint) in faults_of(advertise) {
        faults.push(places.value(&["database", "advertise", key]), message, hint.map(str::to_owned));
    }
}

/// The key, what is wrong with it, and what to write.
pub(crate) fn faults_of(advertise: &Advertise) -> Vec<(&'static str, String, Option<&'static str>)> {
    let host = advertise.host.as_deref().and_then(fault_of_host);
    let host = host.map(|(problem, hint)| ("host", format!("advertise.host {problem}"), Some(hint)));
    let port = (advertise.port == Some(0)).then(|| ("port", "advertise.port is not between 1 and 65535".into(), None));
    host.into_iter().chain(port).collect()
}

/// What clients take for one host: a name, an address, or the directory of a socket.
fn fault_of_host(host: &str) -> Option<(&'static str, &'static str)> {
    const NAME: &str = "write the name or address that tenants connect to, such as \"pgbouncer.internal\"";
    if let Some(directory) = host.strip_prefix('/') {
        let odd = directory.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | '@'));
        return odd.then_some(("is not a socket directory", NAME));
    }
    if host.starts_with('[') {
        return Some(("is in brackets", "write an IPv6 address without them: host = \"::1\", port = 5432"));
    }
    let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
    if address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(is_of_a_name))
    {
        return None;
    }
    Some(match host {
        "" => ("is empty", "omit it where tenants connect to the same server as tenantry"),
        _ if host.contains("://") || host.contains('@') => ("is more than a host name or an address", NAME),
        _ if host.contains(',') => (
            "names several hosts",
            "name one that points to whichever server accepts writes: not every client accepts a list",
        ),
        _ if host.contains(':') => {
            ("holds a port", "write it separately: advertise = { host = \"pgbouncer.internal\", port = 6432 }")
        }
        _ if host.len() > LONGEST_HOST
            || !host.bytes().all(is_of_a_name)
            || host.trim_end_matches('.').split('.').any(str::is_empty) =>
        {
            ("is not a host name", NAME)
        }
        _ => return None,
    })
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::fault_of_host;

    #[test]
    fn one_host_is_taken_and_nothing_else_is() {
        for host in
            ["db", "pgbouncer.internal", "db_1.example", "10.0.0.1", "::1", "fe80::1%eth0", "/var/run/postgresql"]
        {
            assert_eq!(fault_of_host(host), None, "{host}");
        }
        let longest = format!("{}.", "a.".repeat(126) + "a");
        assert_eq!(longest.len(), 254);
        assert_eq!(fault_of_host(&longest[..253]), None);
        assert!(fault_of_host(&longest).is_some());
        assert_eq!(fault_of_host("db.internal."), None);
        for (host, problem) in [
            ("", "empty"),
            ("pgbouncer.internal:6432", "port"),
            ("a,b", "several"),
            ("*", "not a host name"),
            ("a b", "not a host name"),
            (" a", "not a host name"),
            ("a..b", "not a host name"),
            ("[::1]", "brackets"),
            ("[::1]:5432", "brackets"),
            ("postgresql://a", "more than a host"),
            ("u:p@a", "more than a host"),
            ("/var/run,/tmp", "directory"),
            ("/var/my run", "directory"),
            ("/var/run\u{7}", "directory"),
            ("/u@run", "directory"),
            ("u@a", "more than a host"),
            ("fe80::1%", "port"),
            ("fe80::1%a b", "port"),
            ("db%eth0", "not a host name"),
            ("b\u{fc}cher", "not a host name"),
        ] {
            assert!(fault_of_host(host).is_some_and(|(said, _)| said.contains(problem)), "{host}");
        }
    }

    #[test]
    fn no_client_connects_to_port_0() {
        let faults = |port: &str| {
            let source = format!("[database]\nadvertise = {{ host = \"db\", port = {port} }}\n[tenants]\n");
            crate::core::config::fault::tests_support::messages(&source)
        };
        assert_eq!(faults("0"), ["advertise.port is not between 1 and 65535"]);
        assert_eq!([faults("1"), faults("65535")], [[""; 0], [""; 0]]);
    }
}
