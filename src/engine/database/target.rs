//! Where PostgreSQL is and as whom to log in: INTERFACE.md's "Finding the database".

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::SecretString;

use super::endpoint::Endpoint;
use super::params::Params;
use super::passfile::{PassFile, Wanted};
use super::place::{Place, SOCKET_DIRECTORIES, places};
use super::service;
use super::sslmode::SslMode;
use super::target_error::TargetError;
use super::tls::{Roots, Tls, TlsSettings};
use super::tuning::{Tuning, Wanting, tls_settings, tuning};
use crate::core::model::SecretFields;
use crate::core::model::secret::Secret;

/// A database, and a login. Its Debug and Display never show a password.
#[derive(Clone)]
pub struct Target {
    pub(super) places: Vec<Place>,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) tls: Tls,
    /// The same without our client certificate, for logging in as somebody else.
    pub(super) others_tls: Tls,
    pub(super) options: Option<String>,
    pub(super) application_name: String,
    pub(super) tuning: Tuning,
    /// Where the address and the user came from.
    pub(super) origin: String,
    /// Why a password file was passed over, for the hint when a password is missing.
    pub(super) passed_over: Option<String>,
}

impl Target {
    /// The first of the three URLs that is there, and for whatever it leaves out the service file, libpq's variables, the
    /// password file and libpq's defaults.
    pub fn find(
        flag: Option<&str>,
        config_url: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
        home: Option<&Path>,
    ) -> Result<Self, TargetError> {
        let variable = env("TENANTRY_DATABASE_URL").filter(|url| !url.is_empty());
        let given = match (flag, variable.as_deref(), config_url) {
            (Some(url), ..) => Some((url, "--database-url")),
            (None, Some(url), _) => Some((url, "TENANTRY_DATABASE_URL")),
            (None, None, Some(url)) => Some((url, "[database].url")),
            (None, None, None) => None,
        };
        let mut params = given.map_or_else(|| Ok(Params::default()), |(url, origin)| Params::parse(url, origin))?;
        service::fill(&mut params, env, home)?;
        params.fill_from_environment(env)?;
        let origin = origin(&params, given.map(|(_, origin)| origin));
        Ok(Self { origin, ..Self::from_params(&params, home)? })
    }

    /// A login with what a delivered secret says: its username, password, host, port and database. Whoever may write that
    /// secret says nothing else: no file, service, variable or option of this machine plays a part, and TLS is as our own
    /// connection has it, or as `wanted`, what the secret should say, for a place that tenants alone connect to.
    pub fn of_secret(&self, secret: &Secret, wanted: &SecretFields, elsewhere: bool) -> Self {
        let SecretFields { username, host, port, database, .. } = &secret.fields;
        let password = (secret.password.clone(), "the secret".to_owned());
        let place = Place { host: host.clone(), hostaddr: None, port: *port, password: Some(password) };
        let (ours, planned) = (self.sslmode(), wanted.sslmode.unwrap_or_default());
        let settings = &self.others_tls.settings;
        let sslmode = match (elsewhere, &settings.roots) {
            // With everybody's certificates trusted, anything weaker would prove nothing.
            (true, Roots::System) if planned >= SslMode::Require => SslMode::VerifyFull,
            (true, _) => planned,
            (false, _) => ours.max(planned),
        };
        let settings = TlsSettings { sslmode, direct: settings.direct && !elsewhere, ..settings.clone() };
        let tls = if settings == self.others_tls.settings { self.others_tls.clone() } else { Tls::new(settings) };
        Self {
            places: vec![place],
            user: username.clone(),
            database: database.clone(),
            tls: tls.clone(),
            others_tls: tls,
            options: None,
            application_name: "tenantry".to_owned(),
            tuning: Tuning { wanted: Wanting::Any, shuffle: false, ..self.tuning.for_others() },
            passed_over: None,
            origin: "the secret".to_owned(),
        }
    }

    /// The same place as somebody else: without our password and without our client certificate.
    pub fn with_credentials(&self, user: &str, password: SecretString) -> Self {
        let mut target = self.clone();
        user.clone_into(&mut target.user);
        target.tls = self.others_tls.clone();
        target.tuning = self.tuning.for_others();
        for place in &mut target.places {
            place.password = Some((password.clone(), format!("what was given for {user}")));
        }
        target
    }

    /// The same login to another database of the cluster.
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// The same server by its loopback address, where we are connected through its socket: `local` lines of pg_hba.conf
    /// often let in only the system's user of the role's name.
    pub fn by_loopback(&self) -> Option<Self> {
        let mut target = self.clone();
        target.places.iter_mut().filter(|place| place.is_socket()).for_each(|place| place.host = "localhost".into());
        self.places.iter().any(Place::is_socket).then_some(target)
    }

    /// Of several servers, this one.
    pub fn at(&self, endpoint: &Endpoint) -> Self {
        let mut target = self.clone();
        target.places.retain(|place| place.host == endpoint.host && place.port == endpoint.port);
        target
    }

    fn from_params(params: &Params, home: Option<&Path>) -> Result<Self, TargetError> {
        let user = match params.get("user") {
            Some(user) => user.to_owned(),
            None => os_user()?,
        };
        let database = params.get("dbname").unwrap_or(&user).to_owned();
        let mut places = places(params)?;
        let mut passed_over = None;
        if let Some(password) = params.password() {
            places.iter_mut().for_each(|place| place.password = Some(password.clone()));
        } else if let Some(path) =
            params.get("passfile").map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass")))
        {
            let file = PassFile::read(&path);
            for place in &mut places {
                // The file says localhost for the usual sockets, as libpq has it.
                let host = if SOCKET_DIRECTORIES.contains(&place.host.as_str()) { "localhost" } else { &place.host };
                place.password = file.password(&Wanted { host, port: place.port, database: &database, user: &user });
            }
            passed_over = file.passed_over;
        }
        let tls = Tls::new(tls_settings(params, home)?);
        let others_tls = match &tls.settings.client {
            None => tls.clone(),
            Some(_) => Tls::new(TlsSettings { client: None, ..tls.settings.clone() }),
        };
        let tuning = tuning(params)?;
        let name = params.get("application_name").or_else(|| params.get("fallback_application_name"));
        Ok(Self {
            places,
            user,
            database,
            tls,
            others_tls,
            options: params.get("options").map(str::to_owned),
            application_name: name.unwrap_or("tenantry").to_owned(),
            tuning,
            origin: String::new(),
            passed_over,
        })
    }

    /// The first host: a name, an address, or a socket's directory.
    pub fn host(&self) -> &str {
        &self.places[0].host
    }

    pub fn port(&self) -> u16 {
        self.places[0].port
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// Where the address and the user came from, such as "TENANTRY_DATABASE_URL" or "PGHOST and PGUSER".
    pub fn origin(&self) -> &str {
        &self.origin
    }

    pub fn sslmode(&self) -> SslMode {
        self.tls.settings.sslmode
    }

    /// The PG* variables with which libpq's own programs, such as pg_dump, connect to the same place. They hold the
    /// password: for a child's environment, never for an argument or a log.
    pub fn environment(&self) -> Vec<(&'static str, SecretString)> {
        let join = |part: &dyn Fn(&Place) -> String| self.places.iter().map(part).collect::<Vec<_>>().join(",");
        let tls = &self.tls.settings;
        let mut variables = vec![
            ("PGHOST", join(&|place| place.host.clone())),
            ("PGPORT", join(&|place| place.port.to_string())),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGAPPNAME", self.application_name.clone()),
        ];
        if self.places.iter().any(|place| place.hostaddr.is_some()) {
            let addresses = join(&|place| place.hostaddr.map(|address| address.to_string()).unwrap_or_default());
            variables.push(("PGHOSTADDR", addresses));
        }
        variables.extend(tls.environment());
        variables.push(("PGCHANNELBINDING", self.tuning.channel_binding_in_words().to_owned()));
        variables.extend(self.options.clone().map(|options| ("PGOPTIONS", options)));
        let timeout = self.tuning.connect_timeout.map(|timeout| timeout.as_secs().to_string());
        variables.extend(timeout.map(|timeout| ("PGCONNECT_TIMEOUT", timeout)));
        let mut variables: Vec<_> =
            variables.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
        variables.extend(self.places[0].password.clone().map(|(password, _)| ("PGPASSWORD", password)));
        variables
    }
}

/// What was given first, then whatever filled its gaps.
fn origin(params: &Params, given: Option<&str>) -> String {
    let mut origins: Vec<&str> = given.into_iter().collect();
    for name in ["host", "hostaddr", "port", "dbname", "user"].into_iter().filter(|name| params.get(name).is_some()) {
        let origin = params.origin(name);
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    match origins.split_last() {
        None => "libpq's defaults".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// As in RFC 3986's user information.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgresql://{}@", utf8_percent_encode(&self.user, PLAIN))?;
        for (index, place) in self.places.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if place.host.contains(':') {
                write!(f, "{comma}[{}]:{}", place.host, place.port)?;
            } else {
                write!(f, "{comma}{}:{}", utf8_percent_encode(&place.host, PLAIN), place.port)?;
            }
        }
        write!(f, "/{}", utf8_percent_encode(&self.database, PLAIN))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self}, sslmode={})", self.sslmode())
    }
}

/// The operating system's name for who runs this. Not $USER: libpq does not trust it either, and su leaves it behind.
fn os_user() -> Result<String, TargetError> {
    let name = uzers::get_effective_username().ok_or(TargetError::NoUser)?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn find(url: Option<&str>, env: &[(&str, &str)]) -> Result<Target, TargetError> {
        let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        Target::find(url, Some("postgresql://c@config/c"), &env, None)
    }

    #[test]
    fn the_flag_comes_before_the_variable_and_that_before_the_configuration() {
        let env = [("TENANTRY_DATABASE_URL", "postgresql://v@variable/v"), ("PGHOST", "pghost"), ("PGPORT", "1")];
        let target = |url, env| find(url, env).unwrap().to_string();
        assert_eq!(target(Some("postgresql://f@flag:2/f"), &env), "postgresql://f@flag:2/f");
        assert_eq!(target(None, &env), "postgresql://v@variable:1/v");
        assert_eq!(target(None, &env[1..]), "postgresql://c@config:1/c");
        assert_eq!(target(Some("user=a"), &env), "postgresql://a@pghost:1/a");
    }

    #[test]
    fn where_the_address_came_from_is_known() {
        let env = [("TENANTRY_DATABASE_URL", "postgresql://v@variable/v"), ("PGHOST", "pghost"), ("PGPORT", "1")];
        let origin = |url, env| find(url, env).unwrap().origin().to_owned();
        assert_eq!(origin(Some("postgresql://f@flag:2/f"), &env), "--database-url");
        assert_eq!(origin(None, &env), "TENANTRY_DATABASE_URL and PGPORT");
        assert_eq!(origin(None, &[]), "[database].url");
        let env = |name: &str| {
            [("PGHOST", "h"), ("PGUSER", "u"), ("PGDATABASE", "d")]
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Target::find(None, None, &env, None).unwrap().origin(), "PGHOST, PGDATABASE and PGUSER");
        assert_eq!(Target::find(None, None, &|_| None, None).unwrap().origin(), "libpq's defaults");
    }

    #[test]
    fn neither_debug_nor_display_shows_the_password() {
        let target = find(Some("postgresql://a%40b:hush@[::1]:5432,%2Frun:1/my%20app?sslmode=require"), &[]).unwrap();
        assert_eq!(target.to_string(), "postgresql://a%40b@[::1]:5432,%2Frun:1/my%20app");
        assert_eq!(format!("{target:?}"), format!("Target({target}, sslmode=require)"));
    }

    #[test]
    fn a_tenants_login_takes_the_root_certificates_but_not_the_client_certificate() {
        let admin = find(Some("host=db user=a sslmode=verify-ca sslrootcert=/r sslcert=/c sslkey=/k"), &[]).unwrap();
        let fields = SecretFields {
            username: "t".into(),
            schema: "s".into(),
            host: "pooler".into(),
            port: 6432,
            database: "app".into(),
            sslmode: Some(SslMode::Require),
        };
        let tenant = |elsewhere| admin.of_secret(&Secret::new("t", fields.clone(), "p".into()), &fields, elsewhere);
        assert_eq!((tenant(false).sslmode(), tenant(true).sslmode()), (SslMode::VerifyCa, SslMode::Require));
        assert_eq!(tenant(false).tls.settings.roots, Roots::Missing("/r".into()));
        assert_eq!(tenant(false).tls.settings.client, None);
        assert_eq!(tenant(false).to_string(), "postgresql://t@pooler:6432/app");
        let tenant = admin.with_credentials("t", SecretString::from("p"));
        assert_eq!((tenant.user(), &tenant.tls.settings.client), ("t", &None));
    }

    #[test]
    fn programs_get_the_same_place_in_their_environment() {
        let environment = |text| {
            let environment = find(Some(text), &[]).unwrap().environment();
            move |name| {
                let found = environment.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| value.expose_secret().to_owned())
            }
        };
        let get = environment("host=a,b port=1,2 user=u password=p dbname=d sslmode=require");
        let some = |text: &str| Some(text.to_owned());
        assert_eq!((get("PGHOST"), get("PGPORT"), get("PGPASSWORD")), (some("a,b"), some("1,2"), some("p")));
        assert_eq!((get("PGSSLMODE"), get("PGSSLCERT"), get("PGDATABASE")), (some("require"), None, some("d")));
        // As careful as we are, and no more: neither Kerberos nor a certificate that we do not use.
        assert_eq!((get("PGCHANNELBINDING"), get("PGGSSENCMODE")), (some("prefer"), some("disable")));
        assert_eq!((get("PGSSLCERTMODE"), get("PGSSLMINPROTOCOLVERSION")), (some("disable"), None));
        assert_eq!((get("PGSSLSNI"), get("PGSSLNEGOTIATION")), (None, None));
        let get = environment(
            "host=a user=u sslmode=verify-ca sslrootcert=/r sslcert=/c sslkey=/k channel_binding=require sslsni=0 \
             sslnegotiation=direct ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.3",
        );
        for (name, value) in [
            ("PGCHANNELBINDING", "require"),
            ("PGSSLMINPROTOCOLVERSION", "TLSv1.2"),
            ("PGSSLMAXPROTOCOLVERSION", "TLSv1.3"),
            ("PGSSLSNI", "0"),
            ("PGSSLNEGOTIATION", "direct"),
            ("PGSSLCERT", "/c"),
            ("PGSSLKEY", "/k"),
        ] {
            assert_eq!(get(name), some(value), "{name}");
        }
        assert_eq!(get("PGSSLCERTMODE"), None);
    }
}
