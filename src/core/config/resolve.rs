//! [`RawConfig`] → [`Configuration`]: defaults filled in, names checked, collisions found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::duration::duration;
use super::fault::Faults;
use super::places::Places;
use super::raw::{RawAtMost, RawConfig};
use super::{advertise, classes::Classes, defaults, names, placeholder, template, tenant, vault, vault_access};
use crate::core::migrations::{Format, MigrationSet};
use crate::core::model::{
    Advertise, AtMost, Defaults, Desired, PasswordPolicy, PublicSchema, Scope, SecretsPolicy, Source, Tenant,
    TenantKey, check_role_name, check_schema_name,
};

/// A valid `tenants.toml`: all of [`Desired`] but the migrations, whose files the caller reads.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub database_url: Option<SecretString>,
    pub public_schema: Option<PublicSchema>,
    pub shared_schemas: Vec<String>,
    pub extensions: BTreeSet<String>,
    pub advertise: Advertise,
    /// Relative to the directory of `tenants.toml`.
    pub migrations_dir: PathBuf,
    pub migrations_format: Format,
    pub migrations_table: String,
    pub lock_timeout: Duration,
    pub end_blockers: bool,
    pub secrets: SecretsPolicy,
    pub passwords: PasswordPolicy,
    pub archive_dir: PathBuf,
    pub defaults: Defaults,
    pub tenants: BTreeMap<TenantKey, Tenant>,
    /// `[source] query`: more tenants, known once it is asked.
    pub source: Option<Source>,
}

impl Configuration {
    /// The desired state, once the migrations are read.
    #[must_use]
    pub fn with_migrations(self, migrations: MigrationSet) -> Desired {
        Desired {
            database_url: self.database_url,
            public_schema: self.public_schema,
            shared_schemas: self.shared_schemas,
            extensions: self.extensions,
            advertise: self.advertise,
            migrations,
            lock_timeout: self.lock_timeout,
            end_blockers: self.end_blockers,
            secrets: self.secrets,
            passwords: self.passwords,
            archive_dir: self.archive_dir,
            defaults: self.defaults,
            tenants: self.tenants,
            source: self.source,
            scope: Scope::default(),
        }
    }
}

/// Fills in the defaults and checks what only the whole file can tell.
pub(super) fn resolve(mut raw: RawConfig, places: &Places<'_>, faults: &mut Faults) -> Configuration {
    let lock_timeout = duration(&raw.migrations.lock_timeout).unwrap_or_else(|message| {
        faults.push(
            places.value(&["migrations", "lock_timeout"]),
            message,
            Some("write it as \"5s\" or \"500ms\"".into()),
        );
        Duration::from_secs(5)
    });
    names::check(&["migrations", "table"], &raw.migrations.table, "table name", check_role_name, places, faults);
    if !raw.secrets.path.contains("{tenant}") {
        faults.push(
            places.value(&["secrets", "path"]),
            "the path is the same for every tenant",
            Some("put {tenant} into it, as in \"tenants/{tenant}\"".into()),
        );
    }
    placeholder::check(&raw, places, faults);
    if !(16..=128).contains(&raw.passwords.length) {
        faults.push(places.value(&["passwords", "length"]), "the length is not between 16 and 128", None);
    }
    if !raw.database.extensions.is_empty() && raw.database.shared_schemas.is_empty() {
        faults.push(
            places.value(&["database", "extensions"]),
            "extensions are created in the first shared schema, but there is none",
            Some("add shared_schemas = [\"extensions\"]".into()),
        );
    }
    for schema in raw.database.shared_schemas.iter().filter(|schema| *schema != "public") {
        names::check(&["database", "shared_schemas"], schema, "shared schema", check_schema_name, places, faults);
    }
    advertise::check(&raw.database.advertise, places, faults);
    let vault = vault::resolve(std::mem::take(&mut raw.vault), places, faults);
    let max_missing = at_most(&["secrets", "max_missing"], raw.secrets.max_missing.as_ref(), places, faults);
    let classes = Classes::new(&raw, places, faults);
    let path = &raw.secrets.path;
    let mut tenants = BTreeMap::new();
    for (key, own) in &raw.tenants {
        match TenantKey::new(key.as_str()) {
            Ok(key) => {
                let tenant = tenant::resolve(&key, own, &classes, path, places, faults);
                tenants.insert(key, tenant);
            }
            Err(error) => {
                let shown = if key.contains('@') { "…" } else { key };
                faults.push(places.key(&["tenants", key]), format!("{shown:?}: {error}"), None);
            }
        }
    }
    names::collisions(&tenants, &raw.tenants, &classes, &raw.database.shared_schemas, places, faults);
    vault_access::check(&vault, (raw.secrets.store, path), &tenants, places, faults);
    template::check(&tenants, &raw, places, faults);
    Configuration {
        database_url: raw.database.url.map(SecretString::from),
        public_schema: raw.database.public_schema,
        shared_schemas: raw.database.shared_schemas,
        extensions: raw.database.extensions.into_iter().collect(),
        advertise: raw.database.advertise,
        migrations_dir: raw.migrations.dir,
        migrations_format: raw.migrations.format,
        migrations_table: raw.migrations.table,
        lock_timeout,
        end_blockers: raw.migrations.end_blockers,
        secrets: SecretsPolicy {
            store: raw.secrets.store,
            path: raw.secrets.path,
            dir: raw.secrets.dir,
            max_missing,
            vault,
        },
        passwords: PasswordPolicy {
            length: raw.passwords.length.clamp(16, 128).unsigned_abs() as usize,
            charset: raw.passwords.charset,
        },
        archive_dir: raw.archive.dir,
        defaults: defaults::of(&raw.defaults),
        tenants,
        source: raw.source.query.map(|query| Source { query, rows: None }),
    }
}

fn at_most(key: &[&str], raw: Option<&RawAtMost>, places: &Places<'_>, faults: &mut Faults) -> AtMost {
    let (most, message) = match raw {
        None => return AtMost::Usual,
        Some(RawAtMost::Number(number)) => {
            (usize::try_from(*number).ok().map(AtMost::Number), format!("{number} is less than 0"))
        }
        Some(RawAtMost::Part(text)) => {
            (AtMost::percent(text), format!("{text:?} is neither a number nor a percentage"))
        }
    };
    most.unwrap_or_else(|| {
        let hint = "write a number from 0 on, or a part from \"0%\" to \"100%\"";
        faults.push(places.value(key), message, Some(hint.into()));
        AtMost::Usual
    })
}

#[cfg(test)]
mod tests {
    use crate::core::config::parse;

    fn faults(source: &str) -> Vec<String> {
        match parse("t.toml", source, &|_| None) {
            Ok(_) => Vec::new(),
            Err(error) => error
                .faults
                .iter()
                .map(|f| {
                    let (line, column) = f.span.as_ref().map_or((0, 0), |s| error.line_column(s.start));
                    format!("{line}:{column} {}", f.message)
                })
                .collect(),
        }
    }

    #[test]
    fn eight_faults_are_eight_messages_with_their_places() {
        let source = r#"[database]
public_schema = "revoked"
[migrations]
lock_timeout = "soon"
[passwords]
length = 8
[defaults]
connection_limit = -2
[tenants]
a-b = {}
a_b = { acces = "full" }
Acme = {}
globex = { password_from = "${NOT_SET}", settings = { search_path = "x" } }
"#;
        let found = faults(source);
        assert_eq!(
            found,
            [
                "2:17 unknown value \"revoked\"",
                "4:16 \"soon\" is not a duration",
                "6:10 the length is not between 16 and 128",
                "8:20 connection_limit -2 is not between -1 (none) and 2147483647",
                "11:1 tenants a-b and a_b have the same schema, \"tenant_a_b\"",
                "11:9 unknown key \"acces\"",
                "12:1 \"Acme\": a tenant's key starts with a to z and continues with a to z, 0 to 9, \"_\" or \"-\", 63 characters at most",
                "13:28 the environment variable NOT_SET is not set",
                "13:69 search_path is set by tenantry itself",
            ]
        );
    }

    #[test]
    fn one_fault_is_told_once_and_in_words_for_the_value() {
        assert_eq!(faults("[vault]\nauth = { method = \"x\" }\n"), ["2:19 unknown value \"x\""]);
        assert_eq!(faults("[vault]\nauth = { mount = \"x\" }\n"), ["2:8 missing field `method`"]);
        let access = |value: &str| faults(&format!("[tenants]\na = {{ access = {value} }}\n"));
        for value in ["{}", "{ full = 1, owner = 1 }", "[1]", "3"] {
            assert_eq!(access(value), ["2:16 expected a string"], "{value}");
        }
        assert_eq!(faults("[secrets]\nmax_missing = -1\n"), ["2:15 -1 is less than 0"]);
        assert_eq!(faults("[secrets]\nmax_missing = \"-1\"\n"), ["2:15 \"-1\" is neither a number nor a percentage"]);
        assert_eq!(
            faults("[secrets]\nmax_missing = 0.5\n"),
            ["2:15 expected a whole number, or a percentage in quotes such as 2%"]
        );
    }

    #[test]
    fn a_syntax_error_does_not_hide_the_others() {
        let found = faults("[tenants]\nacme = {\nglobex = { owner = 3 }\n[tenant]\n");
        assert!(found.len() >= 2, "{found:?}");
    }

    #[test]
    fn a_password_in_the_file_is_never_shown() {
        let error =
            parse("t.toml", "[tenants]\nacme = { password_from = \"hunter2\", x = 1 }\n", &|_| None).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        let error = parse("t.toml", "[tenants]\nacme = { password_from = \"hunter2\n", &|_| None).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn a_name_of_64_bytes_is_refused_at_its_place_and_odd_names_are_taken() {
        let long = "ü".repeat(32);
        assert_eq!(faults(&format!("[tenants]\nacme = {{ schema = \"{long}\" }}\n")).len(), 1);
        assert!(faults("[tenants.acme]\nschema = 'Bobby\"; DROP SCHEMA public; --'\nusername = 'select'\n").is_empty());
        let key = "a".repeat(60);
        let found = faults(&format!("[tenants]\n{key} = {{}}\n"));
        assert_eq!(found.len(), 3, "every template makes a name too long");
        assert!(found.iter().all(|fault| fault.starts_with("2:64 ")), "{found:?}");
        for (field, template) in [("schema", "long_{tenant}"), ("username", "{tenant}_name"), ("owner", "own_{tenant}")]
        {
            let found = faults(&format!("[defaults]\n{field} = \"{template}\"\n[tenants]\n{key} = {{}}\n"));
            let at = format!("2:{} {field} ", field.len() + 4);
            assert!(found.len() == 3 && found.iter().any(|fault| fault.starts_with(&at)), "{found:?}");
        }
    }

    #[test]
    fn one_fixed_owner_may_be_shared() {
        assert!(faults("[defaults]\nowner = \"app_owner\"\n[tenants]\na = {}\nb = {}\n").is_empty());
        assert_eq!(faults("[defaults]\nusername = \"app\"\n[tenants]\na = {}\nb = {}\n").len(), 1);
        let both_ways = [("username", "owner"), ("owner", "username")].map(|(first, second)| {
            faults(&format!("[tenants]\na = {{ {first} = \"x\" }}\nb = {{ {second} = \"x\" }}\n"))
        });
        assert_eq!(
            both_ways,
            [
                ["3:15 owner \"x\" of tenant b is also the username of tenant a"],
                ["3:18 username \"x\" of tenant b is also the owner of tenant a"]
            ]
        );
    }

    /// Only what is at fault is left out while the rest is looked at.
    #[test]
    fn a_fault_hides_no_other_of_the_same_tenant() {
        let same =
            "[tenants]\na = { schema = \"s\", acces = 1, owner = \"o\" }\nb = { schema = \"s\", username = \"o\" }\n";
        assert_eq!(faults(same), ["2:21 unknown key \"acces\"", "3:16 tenants a and b have the same schema, \"s\""]);
        let owner = same.replace("b = { schema = \"s\", ", "b = { ");
        assert_eq!(
            faults(&owner),
            ["2:21 unknown key \"acces\"", "3:18 username \"o\" of tenant b is also the owner of tenant a"]
        );
    }
}
