//! No output repeats a secret, however broken the input that holds it: text, JSON and the most talkative log.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::Project;
use crate::snapshot::isolate;

const MARK: &str = "HUSHHUSH";

/// A URL that nothing answers at: the marker is in what stands before this.
const NOWHERE: &str = "127.0.0.1:1/app";

struct Tried {
    project: Project,
    number: usize,
}

impl Tried {
    fn new(config: &str) -> Self {
        Self { project: Project::new(config.replace("HUSH", MARK)), number: 0 }
    }

    /// Runs the command and looks for the marker in everything that it says.
    #[track_caller]
    fn run(&mut self, args: &[&str], env: &[(&str, &str)], from: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        isolate(&mut command, self.project.path());
        command.env("HOME", self.project.path().join("home")).args(args).stdin(Stdio::null());
        command.envs(env.iter().map(|(name, value)| (*name, value.replace("HUSH", MARK))));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(101), "{args:?} {env:?} {from}: {text}");
        assert!(!text.contains(MARK), "{args:?} {env:?} {from}:\n{text}");
        self.number += 1;
        text
    }

    #[track_caller]
    fn plan(&mut self, url: Option<&str>, env: &[(&str, &str)]) -> String {
        let url = url.map(|url| url.replace("HUSH", MARK));
        let mut args = vec!["plan", "-vv"];
        args.extend(url.iter().flat_map(|url| ["--database-url", url]));
        self.run(&args, env, "");
        args.extend(["--format", "json"]);
        self.run(&args, env, "")
    }
}

/// Each is a tenants.toml, or a line of one.
const FILES: &[&str] = &[
    // Keys with a typing error, in every section.
    "[database]\nurls = \"postgresql://admin:HUSH@db/app\"\n",
    "[database]\nURL = \"postgresql://admin:HUSH@db/app\"\n",
    "[database]\nuri = 'postgresql://admin:HUSH@db/app'\npublic_schema = \"revoked\"\n",
    "[database]\nurl = [\"postgresql://admin:HUSH@db/app\"]\n",
    "[database]\nurl = { host = \"db\", password = \"HUSH\" }\n",
    "[database]\nadvertise = \"HUSH@pooler\"\n",
    "[database]\nadvertise = { host = \"u:HUSH@pooler\", port = 5432 }\n",
    "[database]\nadvertise = { host = \"pooler\", password = \"HUSH\" }\n",
    "[databases]\nurl = \"postgresql://admin:HUSH@db/app\"\n",
    "url = \"postgresql://admin:HUSH@db/app\"\n",
    "password = \"HUSH\"\n[tenants]\nacme = {}\n",
    "[vault]\ntokn = \"HUSH\"\n",
    "[vault]\ntoken = \"HUSH\"\n",
    "[vault]\nauth = \"HUSH\"\n",
    "[vault]\nauth = [\"HUSH\"]\n",
    "[vault]\nauth = { method = \"token\", tokn = \"HUSH\" }\n",
    "[vault]\nauth = { method = \"tokens\", token = \"HUSH\" }\n",
    "[vault]\nauth = { token = \"HUSH\" }\n",
    "[vault]\nauth = { method = \"approle\", role_id = \"r\", secretid = \"HUSH\" }\n",
    "[vault]\nauth = { method = \"approle\", secret_id = \"HUSH\" }\n",
    "[vault]\nauth = { method = \"approle\", role_id = \"r\", secret_id = [\"HUSH\"] }\n",
    "[vault]\nauth = { method = \"jwt\", role = \"r\", jwtt = \"HUSH\" }\n",
    "[vault]\nauth = { method = \"userpass\", username = \"u\", pasword = \"HUSH\" }\n",
    "[vault.auth]\nmethod = \"userpass\"\npassword = \"HUSH\"\nx = 1\n",
    "[vaults]\naddress = \"https://u:HUSH@vault\"\n",
    "[vault]\naddres = \"https://u:HUSH@vault\"\n",
    "[vault]\naddress = \"https://u:HUSH@vault\"\nx = 1\n",
    "[vault]\naddress = [\"https://u:HUSH@vault\"]\n",
    "[secrets]\npassword = \"HUSH\"\n",
    "[secrets]\ntoken = { a = { b = \"HUSH\" } }\n",
    "[defaults]\npasswd = \"HUSH\"\n",
    "[defaults]\npassword_from = { env = \"HUSH\" }\n",
    "[defaults]\nsettings = \"HUSH\"\n",
    "[defaults]\nsettings = { \"app.key\" = [\"HUSH\"] }\n",
    "[defaults]\nsettings = { \"app.key\" = \"HUSH\", \"search_path\" = \"HUSH\" }\n",
    "[tenants]\nacme = { passwd = \"HUSH\" }\n",
    "[tenants]\nacme = { password_form = \"HUSH\" }\n",
    "[tenants]\nacme = { password = \"HUSH\", acces = \"full\" }\n",
    "[tenants]\nacme = { password_from = \"HUSH\", acces = \"full\" }\n",
    "[tenants]\nacme = { password_from = \"HUSH\\u0000\" }\n",
    "[tenants]\nacme = { password_from = \"HUSH${a b}\" }\n",
    "[tenants]\nacme = { password_from = \"x${HUSH y}\" }\n",
    "[tenants]\nacme = { password_from = \"x${HUSH\" }\n",
    "[tenants]\nacme = { password_from = \"HUSH${NOT_SET}\" }\n",
    "[tenants]\nacme = { password_from = [\"HUSH\"] }\n",
    "[tenants]\nacme = \"HUSH\"\n",
    "[tenants]\nacme = [\"HUSH\"]\n",
    "[tenants]\nacme = { protected = { x = \"HUSH\" } }\n",
    "[tenants]\nacme = { secret = { password = \"HUSH\" } }\n",
    "[tenants.acme]\npassword.from = \"HUSH\"\n",
    "[tenants.acme.password]\nvalue = \"HUSH\"\n",
    "[[tenants]]\nkey = \"acme\"\npassword = \"HUSH\"\n",
    "tenants = \"HUSH\"\n",
    "tenants = [\"HUSH\"]\n",
    "[tenants]\n\"postgresql://admin:HUSH@db/app\" = {}\n",
    "\"postgresql://admin:HUSH@db/app\"\n",
    "[tenants]\nacme = { \"HUSH@db\" = 1 }\n",
    // What does not parse.
    "[database]\nurl = postgresql://admin:HUSH@db/app\n",
    "[database]\nurl = \"postgresql://admin:HUSH@db/app\n",
    "[database]\nurl = 'postgresql://admin:HUSH@db/app\"\nx = 1\n",
    "[database]\nurl = \"a\" \"postgresql://admin:HUSH@db/app\"\n",
    "[database]\nurl \"postgresql://admin:HUSH@db/app\"\n",
    "[database]\nurl: postgresql://admin:HUSH@db/app\n",
    "[database]\nurl == \"HUSH\"\n",
    "[database]\nurl = \"x\"\nurl = \"postgresql://admin:HUSH@db/app\"\n",
    "[database\nurl = \"postgresql://admin:HUSH@db/app\"\n",
    "[defaults]\nschema = \"\"\"x\npassword_from = \"HUSH\"\n",
    "[defaults]\nschema = \"x\npassword_from = \"HUSH\"\n",
    "[tenants]\nacme = { password_from = HUSH }\n",
    "[tenants]\nacme = { password_from = \"HUSH }\n",
    "[tenants]\nacme = { password_from = \"a\"HUSH\" }\n",
    "[tenants]\nacme = { password_from: \"HUSH\" }\n",
    "[tenants]\nacme = { password_from = \"HUSH\", , }\n",
    "[tenants]\nacme = { password_from = \"HUSH\" schema = 3 }\n",
    "[tenants]\nacme = { x = 1 } # password: HUSH\n",
    "[tenants]\nacme = { schema = 3, # HUSH\n}\n",
    "{\"database\": {\"url\": \"postgresql://admin:HUSH@db/app\"}}\n",
    "database:\n  url: postgresql://admin:HUSH@db/app\n",
    "HUSH\n",
];

#[test]
fn no_fault_of_a_file_shows_a_value_that_may_be_a_secret() {
    let mut number = 0;
    for file in FILES {
        let mut tried = Tried::new(file);
        for args in [&["validate", "-vv"][..], &["validate", "--format", "json"], &["plan", "--format", "markdown"]] {
            tried.run(args, &[], file);
        }
        number += tried.number;
    }
    assert!(number >= 200, "{number}");
}

/// What is given as --database-url, as the variable, and in the file.
const ADDRESSES: &[&str] = &[
    "postgresql://admin:HUSH/x==@db/app",
    "postgresql://admin:a?HUSH=b@NOWHERE",
    "postgresql://admin:a#HUSH@NOWHERE",
    "postgresql://admin:/HUSH@db/app",
    "postgresql://admin:HUSH@x@NOWHERE",
    "postgresql://admin:x@HUSH@NOWHERE",
    "postgresql://admin:x@HUSH/y@NOWHERE",
    "postgresql://admin:1/HUSH@NOWHERE",
    "postgresql://admin:1/x?HUSH@NOWHERE",
    "postgresql://admin:1/x?HUSH=y@NOWHERE",
    "postgresql://admin:1/x?sslmode=HUSH&HUSH=y@NOWHERE",
    "postgresql://admin:HUSH%zz@NOWHERE",
    "postgresql://admin:%HUSH@NOWHERE",
    "postgresql://admin:HUSH%00@NOWHERE",
    "postgresql://admin:HUSH%ff@NOWHERE",
    "postgresql://admin:HUSH@127.0.0.1:0/app",
    "postgresql://admin:HUSH@127.0.0.1:99999/app",
    "postgresql://admin:HUSH@[::1/app",
    "postgresql://admin:HUSH@[::1]x/app",
    "postgresql://admin:[HUSH@NOWHERE",
    "postgresql://admin:HUSH",
    "postgresql://admin:HUSH/app",
    "postgresql://admin:HUSH?sslmode=disable",
    "postgresql://admin:HUSH@a,b:1,2,3/app?port=1,2",
    "postgresql://admin:HUSH@NOWHERE?sslmod=require",
    "postgresql://admin:HUSH@NOWHERE?sslmode=sometimes",
    "postgresql://admin:HUSH@NOWHERE?sslmode",
    "postgresql://admin:HUSH@NOWHERE?sslmode=verify-full&sslrootcert=/nowhere",
    "postgresql://NOWHERE?user=admin&password=HUSH&foo=1",
    "postgresql://NOWHERE?user=admin&password=a&HUSH",
    "postgresql://NOWHERE?user=admin&password=a&HUSH=b",
    "postgresql://NOWHERE?passwd=HUSH",
    "postgresql://NOWHERE?sslpassword=HUSH",
    "postgresql://NOWHERE?host=postgresql://admin:HUSH@db",
    "postgresql://admin:HUSH@NOWHERE?service=postgresql://admin:HUSH@db",
    "postgres:/admin:HUSH@NOWHERE",
    "postgresql:admin:HUSH@NOWHERE",
    "postgre://admin:HUSH@NOWHERE",
    "postgre://admin:HU=HUSH@NOWHERE",
    "jdbc:postgresql://NOWHERE?user=admin&password=HUSH",
    "POSTGRESQL://admin:HUSH@NOWHERE",
    "admin:HUSH@NOWHERE",
    "HUSH=@NOWHERE",
    "HUSH",
    "host=127.0.0.1 port=1 user=admin password=HUSH",
    "host=127.0.0.1 port=1 password='HUSH",
    "host=127.0.0.1 port=1 password=a HUSH",
    "host=127.0.0.1 port=1 password=a HUSH=b",
    "host=127.0.0.1 port=1 password = HUSH dbname",
    "host=127.0.0.1 passwd=HUSH",
    "host=127.0.0.1 port=1 passwd='HUSH",
    "host=127.0.0.1 port=x password=HUSH",
    "host=postgresql://admin:HUSH@db/app",
    "host=admin:HUSH@db port=1",
    "port=HUSH@db/app",
    "dbname=postgresql://admin:HUSH@db/app host=127.0.0.1 port=1",
    "user=postgresql://admin:HUSH@db/app host=127.0.0.1 port=1",
    "service=postgresql://admin:HUSH@db/app",
    "sslmode=postgresql://admin:HUSH@db/app",
    "target_session_attrs=HUSH@db",
];

#[test]
fn no_address_of_a_database_is_shown_with_its_password() {
    let mut tried = Tried::new("[tenants]\nacme = {}\n");
    for address in ADDRESSES {
        let address = address.replace("NOWHERE", NOWHERE);
        tried.plan(Some(&address), &[]);
        tried.plan(None, &[("TENANTRY_DATABASE_URL", &address)]);
        let quoted = address.replace('\\', "\\\\").replace('"', "\\\"");
        let mut file = Tried::new(&format!("[database]\nurl = \"{quoted}\"\n[tenants]\nacme = {{}}\n"));
        file.plan(None, &[]);
        tried.number += file.number;
    }
    assert!(tried.number >= 300, "{}", tried.number);
}

#[test]
fn no_argument_is_repeated_with_a_password() {
    let mut tried = Tried::new("[tenants]\nacme = {}\n");
    let url = format!("postgresql://admin:{MARK}@{NOWHERE}");
    for args in [
        &["plan", &url][..],
        &["plan", "--databse-url", &url],
        &["plan", &format!("--databse-url={url}")],
        &["plan", "--format", &url],
        &["plan", "--parallelism", &url],
        &["plan", "--database-url", "a", &url],
        &[&url],
        &["plan", "-c", &url],
        &["show", &url],
    ] {
        tried.run(args, &[], "");
    }
}

#[test]
fn nothing_of_libpqs_variables_and_files_is_shown() {
    let mut tried = Tried::new("[tenants]\nacme = {}\n");
    let home = tried.project.path().join("home");
    fs::create_dir(&home).unwrap();
    let here = [("PGHOST", "127.0.0.1"), ("PGPORT", "1"), ("PGUSER", "admin"), ("PGDATABASE", "app")];
    for more in [
        ("PGPASSWORD", "HUSH"),
        ("PGHOST", "postgresql://admin:HUSH@db/app"),
        ("PGHOST", "admin:HUSH@db"),
        ("PGPORT", "HUSH@db"),
        ("PGUSER", "postgresql://admin:HUSH@db/app"),
        ("PGDATABASE", "postgresql://admin:HUSH@db/app"),
        ("PGSERVICE", "postgresql://admin:HUSH@db/app"),
        ("PGSERVICEFILE", "postgresql://admin:HUSH@db/app"),
        ("PGPASSFILE", "postgresql://admin:HUSH@db/app"),
        ("PGSSLMODE", "postgresql://admin:HUSH@db/app"),
        ("PGSSLROOTCERT", "postgresql://admin:HUSH@db/app"),
        ("PGHOSTADDR", "admin:HUSH@db"),
        ("PGTARGETSESSIONATTRS", "HUSH@db"),
    ] {
        let env: Vec<_> = here.iter().copied().filter(|(name, _)| *name != more.0).chain([more]).collect();
        tried.plan(None, &env);
        tried.plan(None, &[&env[..], &[("PGSERVICE", "prod")]].concat());
    }
    for service in [
        "[prod]\npassword=HUSH\nport=x\n",
        "[prod]\npasswd=HUSH\n",
        "[prod]\npassword HUSH\n",
        "[prod]\npostgresql://admin:HUSH@db/app\n",
        "[prod]\npostgresql://admin:HUSH@db/app?sslmode=x\n",
        "[prod]\nhost=postgresql://admin:HUSH@db/app\n",
        "[prod]\nservicefile=HUSH@db\n",
        "[prod]\nsslpassword=HUSH\n",
        "[other]\npassword=HUSH\n",
    ] {
        fs::write(home.join(".pg_service.conf"), service.replace("HUSH", MARK)).unwrap();
        tried.plan(None, &[("PGSERVICE", "prod")]);
        tried.plan(Some("service=prod"), &here);
    }
    for (passfile, mode) in [
        ("127.0.0.1:1:app:admin:HUSH\n", 0o600),
        ("127.0.0.1:1:app:admin:HUSH\n", 0o644),
        ("HUSH\n", 0o600),
        ("HUSH:1:app:admin\n", 0o600),
        ("*:*:*:*:HUSH\\\n", 0o600),
    ] {
        fs::write(home.join(".pgpass"), passfile.replace("HUSH", MARK)).unwrap();
        fs::set_permissions(home.join(".pgpass"), fs::Permissions::from_mode(mode)).unwrap();
        tried.plan(None, &here);
    }
}

#[test]
fn no_address_or_token_of_a_vault_is_shown() {
    let url = format!("postgresql://admin@{NOWHERE}");
    let config = |more: &str| format!("[secrets]\nstore = \"vault\"\n[vault]\n{more}\n[tenants]\nacme = {{}}\n");
    for address in [
        "https://ada:HUSH@vault:8200",
        "https://ada:HUSH@vault:82000",
        "https://HUSH@vault:8200",
        "ada:HUSH@vault:8200",
        "//ada:HUSH@vault:8200",
        "https://vault:8200?token=HUSH",
        "https://vault:8200/#HUSH",
        "https://vault:8200/HUSH@x",
        "https://vault:HUSH",
        "https://vault/v1?HUSH",
        "ftp://u:HUSH@vault",
        "hvs.HUSH",
    ] {
        let mut tried = Tried::new(&config(&format!("address = \"{address}\"")));
        tried.plan(Some(&url), &[]);
        let mut tried = Tried::new(&config(""));
        for name in ["VAULT_ADDR", "BAO_ADDR"] {
            tried.plan(Some(&url), &[(name, address)]);
        }
    }
    for (name, value) in
        [("VAULT_TOKEN", "two\nHUSH"), ("VAULT_TOKEN", "HUSHü"), ("VAULT_NAMESPACE", ""), ("VAULT_TOKEN", "HUSH")]
    {
        let mut tried = Tried::new(&config("address = \"http://127.0.0.1:1\""));
        tried.plan(Some(&url), &[(name, value)]);
    }
}
