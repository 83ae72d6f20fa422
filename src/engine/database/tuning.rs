//! How to connect, rather than where: TLS, timeouts, which of several servers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::config::ChannelBinding;

use super::params::Params;
use super::sslmode::SslMode;
use super::target_error::TargetError;
use super::tls::{Roots, TlsSettings, Version};

#[derive(Clone, Copy)]
pub(super) struct Tuning {
    pub(super) channel_binding: ChannelBinding,
    pub(super) wanted: Wanting,
    pub(super) shuffle: bool,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) tcp_user_timeout: Option<Duration>,
    pub(super) keepalives: bool,
    pub(super) keepalives_idle: Option<Duration>,
    pub(super) keepalives_interval: Option<Duration>,
    pub(super) keepalives_count: Option<u32>,
}

/// `target_session_attrs`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanting {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// Where a secret leads, somebody may listen who never answers.
const PATIENCE: Duration = Duration::from_secs(10);

impl Tuning {
    /// For logging in as somebody else: never without a limit, so that one login does not hold up all others.
    pub(super) fn for_others(self) -> Self {
        Self { connect_timeout: Some(self.connect_timeout.unwrap_or(PATIENCE)), ..self }
    }

    pub(super) fn channel_binding_in_words(&self) -> &'static str {
        match self.channel_binding {
            ChannelBinding::Disable => "disable",
            ChannelBinding::Require => "require",
            _ => "prefer",
        }
    }
}

pub(super) fn tuning(params: &Params) -> Result<Tuning, TargetError> {
    let number = |name| match params.get(name) {
        // Negative means the default to libpq.
        Some(text) => {
            text.parse::<i32>().map(|n| u32::try_from(n).ok()).map_err(|_| params.invalid(name, "a whole number"))
        }
        None => Ok(None),
    };
    let seconds = |name| number(name).map(|n| n.filter(|n| *n > 0).map(|n| Duration::from_secs(n.into())));
    Ok(Tuning {
        channel_binding: match params.get("channel_binding").unwrap_or("prefer") {
            "disable" => ChannelBinding::Disable,
            "prefer" => ChannelBinding::Prefer,
            "require" => ChannelBinding::Require,
            _ => return Err(params.invalid("channel_binding", "disable, prefer or require")),
        },
        wanted: match params.get("target_session_attrs").unwrap_or("any") {
            "any" => Wanting::Any,
            "read-write" => Wanting::ReadWrite,
            "read-only" => Wanting::ReadOnly,
            "primary" => Wanting::Primary,
            "standby" => Wanting::Standby,
            "prefer-standby" => Wanting::PreferStandby,
            _ => {
                let words = "any, read-write, read-only, primary, standby or prefer-standby";
                return Err(params.invalid("target_session_attrs", words));
            }
        },
        shuffle: match params.get("load_balance_hosts").unwrap_or("disable") {
            "disable" => false,
            "random" => true,
            _ => return Err(params.invalid("load_balance_hosts", "disable or random")),
        },
        connect_timeout: seconds("connect_timeout")?,
        tcp_user_timeout: number("tcp_user_timeout")?.filter(|n| *n > 0).map(|n| Duration::from_millis(n.into())),
        keepalives: number("keepalives")? != Some(0),
        keepalives_idle: seconds("keepalives_idle")?,
        keepalives_interval: seconds("keepalives_interval")?,
        keepalives_count: number("keepalives_count")?.filter(|n| *n > 0),
    })
}

/// What is not said is taken from the usual files in the home directory.
pub(super) fn tls_settings(params: &Params, home: Option<&Path>) -> Result<TlsSettings, TargetError> {
    let usual = |name: &str| home.map(|home| home.join(".postgresql").join(name));
    let roots = match params.get("sslrootcert").map(PathBuf::from).or_else(|| usual("root.crt")) {
        Some(path) if path == Path::new("system") => Roots::System,
        Some(path) if path.exists() => Roots::File(path),
        Some(path) => Roots::Missing(path),
        None => Roots::None,
    };
    let mut settings = TlsSettings { roots, ..TlsSettings::default() };
    match params.get("sslmode") {
        Some(mode) => settings.sslmode = mode.parse().map_err(|()| params.invalid("sslmode", SslMode::EXPECTED))?,
        None if settings.roots == Roots::System => settings.sslmode = SslMode::VerifyFull,
        None => {}
    }
    // With everybody's certificates trusted, anything weaker would prove nothing; libpq refuses it too.
    if settings.roots == Roots::System && settings.sslmode != SslMode::VerifyFull {
        return Err(params.invalid("sslmode", "verify-full where sslrootcert=system"));
    }
    settings.crl = params.get("sslcrl").map(PathBuf::from).or_else(|| usual("root.crl").filter(|path| path.exists()));
    let certificate =
        params.get("sslcert").map(PathBuf::from).or_else(|| usual("postgresql.crt").filter(|path| path.exists()));
    settings.client = match certificate.filter(|_| params.get("sslcertmode") != Some("disable")) {
        Some(certificate) => {
            params.get("sslkey").map(PathBuf::from).or_else(|| usual("postgresql.key")).map(|key| (certificate, key))
        }
        None => None,
    };
    let version = |name| match params.get(name) {
        None => Ok(None),
        Some("TLSv1" | "TLSv1.1") if name == "ssl_min_protocol_version" => Ok(None),
        Some("TLSv1.2") => Ok(Some(Version::Tls12)),
        Some("TLSv1.3") => Ok(Some(Version::Tls13)),
        Some(_) => Err(params.invalid(name, "TLSv1.2 or TLSv1.3")),
    };
    settings.oldest = version("ssl_min_protocol_version")?.or(settings.oldest);
    settings.newest = version("ssl_max_protocol_version")?.or(settings.newest);
    if settings.newest.is_some() && settings.newest < settings.oldest {
        return Err(params.invalid("ssl_max_protocol_version", "no less than ssl_min_protocol_version"));
    }
    if let Some(value) = params.get("sslsni") {
        settings.no_sni = value == "0";
    }
    match params.get("sslnegotiation") {
        None => {}
        Some("postgres") => settings.direct = false,
        Some("direct") if settings.sslmode >= SslMode::Require => settings.direct = true,
        Some(_) => {
            return Err(params.invalid("sslnegotiation", "postgres, or direct where sslmode is require or stronger"));
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(text: &str, home: Option<&Path>) -> Result<TlsSettings, String> {
        let params = Params::parse(text, "--database-url").unwrap();
        tls_settings(&params, home).map_err(|error| format!("{error}: {}", error.hint().unwrap()))
    }

    #[test]
    fn the_default_is_prefer_and_system_roots_mean_verify_full() {
        assert_eq!(tls("host=a", None).unwrap().sslmode, SslMode::Prefer);
        assert_eq!(tls("sslrootcert=system", None).unwrap().sslmode, SslMode::VerifyFull);
        assert!(tls("sslrootcert=system sslmode=require", None).unwrap_err().contains("verify-full"));
    }

    #[test]
    fn the_usual_files_count_when_they_are_there() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".postgresql");
        assert_eq!(tls("host=a", Some(home.path())).unwrap().roots, Roots::Missing(directory.join("root.crt")));
        std::fs::create_dir(&directory).unwrap();
        for file in ["root.crt", "postgresql.crt"] {
            std::fs::write(directory.join(file), "").unwrap();
        }
        let settings = tls("host=a", Some(home.path())).unwrap();
        assert_eq!(settings.roots, Roots::File(directory.join("root.crt")));
        assert_eq!(settings.client, Some((directory.join("postgresql.crt"), directory.join("postgresql.key"))));
        assert_eq!(tls("sslcertmode=disable", Some(home.path())).unwrap().client, None);
    }

    #[test]
    fn a_bad_value_is_named_with_what_would_do() {
        let error = tls("sslmode=verify", None).unwrap_err();
        assert_eq!(
            error,
            "sslmode from --database-url cannot be \"verify\": it takes disable, allow, prefer, require, verify-ca or verify-full"
        );
        let params = Params::parse("connect_timeout=soon", "--database-url").unwrap();
        assert_eq!(
            tuning(&params).err().unwrap().to_string(),
            "connect_timeout from --database-url cannot be \"soon\""
        );
    }
}
