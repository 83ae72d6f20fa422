//! What is written into a throw-away server's directory.

use std::path::Path;

use super::builder::Builder;

/// Nobody wants a throw-away server's data back after a power cut.
const FAST: [(&str, &str); 4] =
    [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off"), ("autovacuum_naptime", "10min")];

/// In our directory, not in the server's.
pub(super) const FILE: &str = "postgresql.conf";

/// What initdb found out, and our settings; later lines win, so the caller's come last.
pub(super) fn settings(builder: &Builder, root: &Path, its_own: &Path, port: u16) -> String {
    let mut lines = vec![
        ("include".to_owned(), its_own.join("data/postgresql.conf").display().to_string()),
        ("hba_file".to_owned(), root.join("pg_hba.conf").display().to_string()),
        ("listen_addresses".to_owned(), "127.0.0.1,::1".to_owned()),
        ("port".to_owned(), port.to_string()),
        ("unix_socket_directories".to_owned(), its_own.display().to_string()),
        ("password_encryption".to_owned(), "scram-sha-256".to_owned()),
        ("timezone".to_owned(), "UTC".to_owned()),
        ("log_timezone".to_owned(), "UTC".to_owned()),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    if !builder.durable {
        lines.extend(FAST.map(own));
    }
    if let Some(tls) = &builder.tls {
        let file = |name: &str| root.join(name).display().to_string();
        lines.push(own(("ssl", "on")));
        lines.push(("ssl_cert_file".into(), file("server.crt")));
        lines.push(("ssl_key_file".into(), file("server.key")));
        if tls.client_ca.is_some() {
            lines.push(("ssl_ca_file".into(), file("client_ca.crt")));
        }
    }
    lines.extend(builder.settings.iter().cloned());
    let quoted = |value: &str| value.replace('\'', "''");
    // `include = '…'` is taken as `include '…'` is (guc-file.l).
    lines.iter().map(|(name, value)| format!("{name} = '{}'\n", quoted(value))).collect()
}

/// pg_hba.conf: the first line that fits counts, so the caller's come first.
pub(super) fn hba(builder: &Builder) -> String {
    let mut lines = builder.hba.clone();
    lines.extend(["local all all scram-sha-256".into(), "host all all all scram-sha-256".into()]);
    lines.push("local replication all scram-sha-256".into());
    lines.push("host replication all all scram-sha-256".into());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_settings_come_last_and_its_hba_lines_first() {
        let builder = Builder::default().setting("fsync", "on").setting("x", "it's").hba("host all bob all trust");
        let text = settings(&builder, Path::new("/t"), Path::new("/t/pg"), 1);
        assert!(text.ends_with("fsync = 'on'\nx = 'it''s'\n"), "{text}");
        assert!(hba(&builder).starts_with("host all bob all trust\nlocal all all"));
        assert!(!settings(&Builder::default().durable(), Path::new("/t"), Path::new("/t/pg"), 1).contains("fsync"));
    }
}
