//! Connection parameters as libpq reads them: a `postgresql://` URL, a `key=value` string, and the PG* variables.
//!
//! `postgres::Config` has a parser of its own, but it knows neither `sslmode=verify-full` nor `sslrootcert`, and the
//! `url` crate refuses several hosts. What libpq's manual lists is read here:
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::keywords::{KEYWORDS, Support};
use super::target_error::TargetError;

/// The values found so far, each with where it came from. The password is kept apart, so that nothing prints it.
#[derive(Default)]
pub(super) struct Params {
    values: BTreeMap<&'static str, (String, String)>,
    password: Option<(SecretString, String)>,
    /// From here on a word may be a piece of a password that should have been quoted or escaped, whatever it looks like.
    guarded: bool,
}

/// Whether a value is an address that was put where a part of one belongs, with all that it holds.
fn is_whole_address(name: &str, value: &str) -> bool {
    let is_place = ["host", "hostaddr", "port"].contains(&name);
    // An abstract socket's name begins with an @.
    value.contains("://") && value.contains('@')
        || is_place && value.split(',').any(|one| one.rfind('@').is_some_and(|at| at > 0))
}

impl Params {
    /// A parameter's value; one that is set to nothing counts as its default, as in libpq.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn origin(&self, name: &str) -> &str {
        self.values.get(name).map_or("the defaults", |(_, origin)| origin)
    }

    pub(super) fn password(&self) -> Option<&(SecretString, String)> {
        self.password.as_ref()
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name) || (name == "password" && self.password.is_some())
    }

    pub(super) fn invalid(&self, name: &'static str, expected: &'static str) -> TargetError {
        // After a forgotten host, as in postgresql://admin:password, what stands in a port's place is a password.
        let value = self.get(name).filter(|_| name != "port").map(str::to_owned);
        TargetError::InvalidValue { name, value, origin: self.origin(name).to_owned(), expected }
    }

    pub(super) fn set(&mut self, name: &str, value: String, origin: &str) -> Result<(), TargetError> {
        let Some((known, _, support)) = KEYWORDS.iter().find(|(known, ..)| *known == name) else {
            return Err(TargetError::UnknownParameter { name: self.showable(name), origin: origin.to_owned() });
        };
        match support {
            Support::Used if name == "password" => {
                self.password = (!value.is_empty()).then(|| (SecretString::from(value), origin.to_owned()));
            }
            Support::Used if is_whole_address(known, &value) => {
                return Err(TargetError::WholeAddress { name: known, origin: origin.to_owned() });
            }
            Support::Used => drop(self.values.insert(known, (value, origin.to_owned()))),
            Support::Ignored => {}
            Support::OnlyAs(fine) if value.is_empty() || fine.contains(&value.as_str()) => {
                self.values.insert(known, (value, origin.to_owned()));
            }
            Support::OnlyAs(fine) => {
                return Err(TargetError::Unsupported { name: known, origin: origin.to_owned(), fine });
            }
        }
        Ok(())
    }

    /// The name of an unknown parameter, if it may be shown.
    fn showable(&self, name: &str) -> Option<String> {
        let is_word = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let known: Vec<&str> = KEYWORDS.iter().map(|(known, ..)| *known).collect();
        let may = is_word && (!self.guarded || !similar::get_close_matches(name, &known, 1, 0.7).is_empty());
        may.then(|| name.to_owned())
    }

    /// Sets what is not set yet.
    pub(super) fn fill(&mut self, name: &str, value: String, origin: &str) -> Result<(), TargetError> {
        if self.is_set(name) { Ok(()) } else { self.set(name, value, origin) }
    }

    pub(super) fn fill_from_environment(&mut self, env: &dyn Fn(&str) -> Option<String>) -> Result<(), TargetError> {
        for (name, variable, _) in KEYWORDS {
            if !variable.is_empty()
                && let Some(value) = env(variable).filter(|value| !value.is_empty())
            {
                self.fill(name, value, variable)?;
            }
        }
        Ok(())
    }

    /// Reads a URL or a `key=value` string; `origin` says where it stood.
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self, TargetError> {
        let mut params = Self::default();
        match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
            Some(rest) => params.read_url(rest, origin)?,
            None => params.read_conninfo(text, origin)?,
        }
        Ok(params)
    }

    /// As libpq's `conninfo_uri_parse_options` splits it: the user information is what stands before the first `@`, if no
    /// `/` comes sooner, and its password may hold a `?` or a `#`. One with a raw `/` or `@` is refused here, and by libpq
    /// mistaken for a host, a port or a database; so no error shows what is left of the last `@`.
    fn read_url(&mut self, rest: &str, origin: &str) -> Result<(), TargetError> {
        let malformed =
            |problem: &str| TargetError::Malformed { origin: origin.to_owned(), problem: problem.to_owned() };
        let (credentials, rest) = match rest.find(['@', '/']) {
            Some(at) if rest.as_bytes()[at] == b'@' => (Some(&rest[..at]), &rest[at + 1..]),
            _ => (None, rest),
        };
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        // A parameter's value may hold an @, as in user=admin@server; what is not a parameter is a piece of the password.
        let is_known =
            |pair: &str| KEYWORDS.iter().any(|(name, ..)| pair.split_once('=').is_some_and(|(it, _)| it == *name));
        let strays =
            |query: &str| query.contains('@') && !query.split('&').filter(|pair| !pair.is_empty()).all(is_known);
        if rest.contains('@') || query.is_some_and(strays) {
            return Err(malformed("it has an @ where none is allowed"));
        }
        let (places, database) = rest.split_once('/').map_or((rest, None), |(left, right)| (left, Some(right)));
        if let Some(credentials) = credentials {
            let (user, password) = credentials.split_once(':').map_or((credentials, None), |(u, p)| (u, Some(p)));
            self.set("user", decode(user, "the user name", origin)?, origin)?;
            if let Some(password) = password {
                self.set("password", decode(password, "the password", origin)?, origin)?;
            }
        }
        if !places.is_empty() {
            let (mut hosts, mut ports) = (Vec::new(), Vec::new());
            for place in places.split(',') {
                let (host, port) = if let Some(rest) = place.strip_prefix('[') {
                    let (host, after) = rest.split_once(']').ok_or_else(|| malformed("a [ has no ]"))?;
                    let port = after.strip_prefix(':');
                    if port.is_none() && !after.is_empty() {
                        return Err(malformed("after a ] comes something other than a port"));
                    }
                    (host, port)
                } else {
                    place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
                };
                hosts.push(decode(host, "the host", origin)?);
                ports.push(decode(port.unwrap_or_default(), "the port", origin)?);
            }
            // Only what was written: an empty list would hide PGHOST and PGPORT.
            if hosts.iter().any(|host| !host.is_empty()) {
                self.set("host", hosts.join(","), origin)?;
            }
            if ports.iter().any(|port| !port.is_empty()) {
                self.set("port", ports.join(","), origin)?;
            }
        }
        if let Some(database) = database.filter(|database| !database.is_empty()) {
            self.set("dbname", decode(database, "the database", origin)?, origin)?;
        }
        for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| malformed("a parameter after the ? has no ="))?;
            let name = decode(name, "a parameter's name", origin)?;
            let value = decode(value, "a parameter's value", origin)?;
            match (name.as_str(), value.as_str()) {
                ("ssl", "true") => self.set("sslmode", "require".into(), origin)?, // JDBC's word, which libpq takes too.
                _ => self.set(&name, value, origin)?,
            }
            // A raw & in a password ends it.
            self.guarded |= name == "password";
        }
        Ok(())
    }

    fn read_conninfo(&mut self, text: &str, origin: &str) -> Result<(), TargetError> {
        let malformed = |problem: String| TargetError::Malformed { origin: origin.to_owned(), problem };
        self.guarded = text.contains('@');
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let Some(after) = after.trim_start().strip_prefix('=') else {
                // The word may be a piece of a password with a blank in it, so it is not repeated.
                return Err(malformed("it is not a postgresql:// URL, and a word in it has no =".into()));
            };
            let (value, after) =
                conninfo_value(after.trim_start()).ok_or_else(|| malformed("a quoted value is not closed".into()))?;
            self.set(name, value, origin)?;
            // A blank in a password ends it, when it is not quoted.
            self.guarded |= name == "password";
            rest = after.trim_start();
        }
        Ok(())
    }
}

/// One value of a `key=value` string, unquoted and unescaped, and what follows it.
fn conninfo_value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            c if !quoted && c.is_whitespace() => return Some((value, &text[at..])),
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, ""))
}

fn decode(text: &str, what: &str, origin: &str) -> Result<String, TargetError> {
    let bad =
        || TargetError::Malformed { origin: origin.to_owned(), problem: format!("{what} has a bad percent-escape") };
    // The crate lets a lone % stand; libpq refuses it, and a password that is silently another one helps nobody.
    for escape in text.split('%').skip(1) {
        let hex = escape.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if hex.is_none_or(|hex| hex == "00") {
            return Err(bad());
        }
    }
    Ok(percent_decode_str(text).decode_utf8().map_err(|_| bad())?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(text: &str) -> Params {
        Params::parse(text, "--database-url").unwrap()
    }

    fn fault(text: &str) -> String {
        Params::parse(text, "--database-url").err().unwrap().to_string()
    }

    fn password(params: &Params) -> &str {
        params.password().unwrap().0.expose_secret()
    }

    #[test]
    fn a_url_gives_every_part() {
        let p = read("postgresql://ad%40min:p%3Aw@db.internal:6432/my%20app?sslmode=verify-full&application_name=x");
        assert_eq!((p.get("user"), p.get("host"), p.get("port")), (Some("ad@min"), Some("db.internal"), Some("6432")));
        assert_eq!((p.get("dbname"), p.get("sslmode")), (Some("my app"), Some("verify-full")));
        assert_eq!(password(&p), "p:w");
    }

    #[test]
    fn a_url_takes_many_hosts_ipv6_and_socket_directories() {
        let p = read("postgres://[::1]:1,b,%2Fvar%2Frun:3/");
        assert_eq!((p.get("host"), p.get("port")), (Some("::1,b,/var/run"), Some("1,,3")));
        let p = read("postgresql:///app?host=/tmp&port=5433");
        assert_eq!((p.get("host"), p.get("port"), p.get("dbname")), (Some("/tmp"), Some("5433"), Some("app")));
    }

    #[test]
    fn a_url_that_leaves_things_out_sets_nothing() {
        let p = read("postgresql://");
        assert!(!p.is_set("host") && !p.is_set("port") && !p.is_set("dbname") && !p.is_set("user"));
        assert!(!read("postgresql://:5433").is_set("host"));
    }

    #[test]
    fn a_conninfo_string_is_unquoted() {
        let p = read(r"host = a  user='o\'brien' password='a b\\c' dbname=x\ y");
        assert_eq!((p.get("host"), p.get("user"), p.get("dbname")), (Some("a"), Some("o'brien"), Some("x y")));
        assert_eq!(password(&p), r"a b\c");
    }

    #[test]
    fn unknown_and_unsupported_parameters_are_named() {
        assert_eq!(fault("postgresql:///?sslmod=require"), "unknown connection parameter sslmod in --database-url");
        assert_eq!(
            fault("host=a requirepeer=bob"),
            "connection parameter requirepeer in --database-url is not supported"
        );
        assert_eq!(fault("host=a replication=false foo=1"), "unknown connection parameter foo in --database-url");
        assert_eq!(fault("password=a hsot=b"), "unknown connection parameter hsot in --database-url");
        assert_eq!(fault("password=a foo=b"), "unknown connection parameter in --database-url");
    }

    /// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>, and its parser.
    #[test]
    fn a_password_may_hold_what_libpq_lets_it_hold() {
        for (text, user, pass) in [
            ("postgresql://admin:a?hush=b@db/app", "admin", "a?hush=b"),
            ("postgresql://admin:a#b:c&d@db/app", "admin", "a#b:c&d"),
            ("postgresql://admin:[x]@db/app", "admin", "[x]"),
            ("postgresql://ad?min:x@db/app", "ad?min", "x"),
        ] {
            let p = read(text);
            assert_eq!(
                (p.get("user"), password(&p), p.get("host"), p.get("dbname")),
                (Some(user), pass, Some("db"), Some("app"))
            );
        }
        assert_eq!(read("postgresql://db/app?user=admin@server").get("user"), Some("admin@server"));
    }

    #[test]
    fn faults_never_repeat_the_password() {
        for text in [
            "postgresql://u:hush%zz@h/",
            "postgresql://u:hush@hush@h/",
            "host=a password='hush",
            "password=a hush",
            "password=a hush=b",
            "postgresql://u:hush/x==@db/app",
            "postgresql://u:1/hush@db/app",
            "postgresql://u:1/hush?hush=1@db/app",
            "postgresql://u:/hush@db/app",
            "postgresql://u:a@hush/b@db/app",
            "postgresql://db/app?password=a&hush=b",
            "postgre://u:hu=hush@db/app",
            "hush=a@db/app",
            "host=postgresql://u:hush@db/app",
            "port=hush@db/app",
            "dbname=postgresql://u:hush@db/app",
        ] {
            assert!(!fault(text).contains("hush"), "{}", fault(text));
        }
    }

    #[test]
    fn the_environment_fills_only_gaps() {
        let mut p = read("host=a password=x");
        p.fill_from_environment(&|name| Some(format!("from {name}"))).err().unwrap();
        let mut p = read("host=a password=x");
        p.fill_from_environment(&|name| ["PGHOST", "PGUSER", "PGPASSWORD"].contains(&name).then(|| name.into()))
            .unwrap();
        assert_eq!((p.get("host"), p.get("user"), password(&p)), (Some("a"), Some("PGUSER"), "x"));
    }
}
