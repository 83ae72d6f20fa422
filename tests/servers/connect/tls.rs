//! Each sslmode against each kind of server.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;

use tenantry::model::secret::Secret;
use tenantry::model::{SecretFields, SslMode};
use tenantry::sandbox::Server;

use super::{User, nobody, plain, told};
use crate::certificates::{self, Authority, Leaf};

/// The server with TLS: its certificate is for localhost and db.internal, not for 127.0.0.1. Each role shows a rule:
/// `certified` must have a client certificate, `sealed` an encrypted and `open` an unencrypted connection.
struct Encrypted {
    server: Server,
    authority: Authority,
    files: User,
}

fn encrypted() -> &'static Encrypted {
    static ENCRYPTED: OnceLock<Encrypted> = OnceLock::new();
    ENCRYPTED.get_or_init(|| {
        let authority = Authority::new("our authority");
        let leaf = authority.issue(&Leaf::server(&["localhost", "db.internal"]));
        let server = Server::builder()
            .tls(&leaf.certificate, &leaf.key, Some(&authority.certificate))
            .hba("hostssl all certified all cert")
            .hba("hostssl all sealed all trust")
            .hba("host all sealed all reject")
            .hba("hostnossl all open all trust")
            .hba("host all open all reject")
            .start()
            .unwrap();
        let mut admin = crate::postgres_server::target(&server.admin_url()).connect_admin().unwrap();
        admin.batch_execute("CREATE ROLE certified LOGIN; CREATE ROLE sealed LOGIN; CREATE ROLE open LOGIN").unwrap();
        let files = nobody();
        files.file("ours.crt", &authority.certificate);
        files.file("theirs.crt", &Authority::new("another authority").certificate);
        Encrypted { server, authority, files }
    })
}

impl Encrypted {
    /// Whether the login went through, and then whether it was encrypted; or what was told.
    fn connect(&self, host: &str, user: &str, parameters: &str) -> Result<bool, String> {
        self.connect_from(&nobody(), host, user, parameters)
    }

    fn connect_from(&self, from: &User, host: &str, user: &str, parameters: &str) -> Result<bool, String> {
        let (port, password) = (self.server.port(), self.server.password());
        let url = format!("postgresql://{user}:{password}@{host}:{port}/postgres?hostaddr=127.0.0.1&{parameters}");
        let mut client = from.find(Some(&url)).connect().map_err(|error| told(&error))?;
        let row = client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).unwrap();
        Ok(row.get(0))
    }

    fn root(&self, name: &str) -> String {
        self.files.home.path().join(name).display().to_string()
    }
}

#[test]
fn the_weaker_modes_encrypt_as_in_libpq_and_verify_nothing() {
    let it = encrypted();
    for (mode, encrypted) in [("disable", false), ("allow", false), ("prefer", true), ("require", true)] {
        assert_eq!(it.connect("wrong.name", "postgres", &format!("sslmode={mode}")), Ok(encrypted), "{mode}");
    }
}

#[test]
fn allow_and_prefer_try_the_other_way_when_the_server_refuses_the_first() {
    let it = encrypted();
    assert_eq!(it.connect("localhost", "sealed", "sslmode=allow"), Ok(true));
    assert_eq!(it.connect("localhost", "open", "sslmode=prefer"), Ok(false));
    let told = it.connect("localhost", "sealed", "sslmode=disable").unwrap_err();
    assert!(told.contains("pg_hba.conf rejects connection") && told.contains("28000"), "{told}");
    assert!(it.connect("localhost", "open", "sslmode=require").is_err());
}

#[test]
fn verify_full_wants_the_chain_and_the_name_and_verify_ca_only_the_chain() {
    let it = encrypted();
    let (ours, theirs) = (it.root("ours.crt"), it.root("theirs.crt"));
    for host in ["localhost", "db.internal"] {
        assert_eq!(it.connect(host, "postgres", &format!("sslmode=verify-full&sslrootcert={ours}")), Ok(true));
    }
    for host in ["wrong.name", "127.0.0.1"] {
        let told = it.connect(host, "postgres", &format!("sslmode=verify-full&sslrootcert={ours}")).unwrap_err();
        assert!(told.contains("not valid for name") && told.contains("sslmode=verify-ca"), "{told}");
        assert_eq!(it.connect(host, "postgres", &format!("sslmode=verify-ca&sslrootcert={ours}")), Ok(true));
    }
    for mode in ["verify-ca", "verify-full"] {
        let told = it.connect("localhost", "postgres", &format!("sslmode={mode}&sslrootcert={theirs}")).unwrap_err();
        assert!(told.contains("UnknownIssuer") && told.contains("set sslrootcert"), "{told}");
        let told = it.connect("localhost", "postgres", &format!("sslmode={mode}")).unwrap_err();
        assert!(told.contains("needs root certificates") && told.contains("sslrootcert=system"), "{told}");
    }
}

#[test]
fn require_with_root_certificates_verifies_the_chain_and_prefer_falls_back() {
    let it = encrypted();
    let user = nobody();
    user.file(".postgresql/root.crt", &it.authority.certificate);
    assert_eq!(it.connect_from(&user, "wrong.name", "postgres", "sslmode=require"), Ok(true));
    assert_eq!(it.connect_from(&user, "localhost", "postgres", "sslmode=verify-full"), Ok(true));
    let theirs = it.root("theirs.crt");
    let told = it.connect("localhost", "postgres", &format!("sslmode=require&sslrootcert={theirs}")).unwrap_err();
    assert!(told.contains("UnknownIssuer"), "{told}");
    assert_eq!(it.connect("localhost", "postgres", &format!("sslmode=prefer&sslrootcert={theirs}")), Ok(false));
}

#[test]
fn the_systems_roots_do_not_know_our_authority() {
    let told = encrypted().connect("localhost", "postgres", "sslrootcert=system").unwrap_err();
    assert!(told.contains("UnknownIssuer"), "{told}");
}

#[test]
fn a_server_without_tls_is_refused_by_every_mode_that_wants_it() {
    let ours = encrypted().root("ours.crt");
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}&sslrootcert={ours}", plain().admin_url());
        let told = told(&nobody().connect(&url).unwrap_err());
        assert!(told.contains("server does not support TLS") && told.contains("sslmode=prefer"), "{told}");
    }
    for mode in ["disable", "allow", "prefer"] {
        assert_eq!(nobody().connect(&format!("{}?sslmode={mode}", plain().admin_url())).unwrap(), "postgres");
    }
}

#[test]
fn channel_binding_can_be_required_with_tls_and_only_with_tls() {
    let it = encrypted();
    assert_eq!(it.connect("localhost", "postgres", "sslmode=require&channel_binding=require"), Ok(true));
    let told = it.connect("localhost", "postgres", "sslmode=disable&channel_binding=require").unwrap_err();
    assert!(told.contains("channel_binding=prefer"), "{told}");
}

#[test]
fn a_client_certificate_logs_in_and_its_absence_says_what_to_set() {
    let it = encrypted();
    let leaf = it.authority.issue(&Leaf::client("certified"));
    let user = nobody();
    let certificate = user.file("me.crt", &leaf.certificate);
    let key = user.file("me.key", &leaf.key);
    let parameters = format!("sslmode=require&sslcert={certificate}&sslkey={key}");
    assert_eq!(it.connect("localhost", "certified", &parameters), Ok(true));
    let told = it.connect("localhost", "certified", "sslmode=require").unwrap_err();
    assert!(told.contains("valid client certificate") && told.contains("set sslcert and sslkey"), "{told}");
    fs::set_permissions(Path::new(&key), Permissions::from_mode(0o644)).unwrap();
    let told = it.connect("localhost", "certified", &parameters).unwrap_err();
    assert!(told.contains("can be read by other users") && told.contains("chmod 0600"), "{told}");
    user.file(".postgresql/postgresql.crt", &leaf.certificate);
    user.file(".postgresql/postgresql.key", &leaf.key);
    assert_eq!(it.connect_from(&user, "localhost", "certified", "sslmode=require"), Ok(true));
}

#[test]
fn a_certificate_as_the_manual_makes_them_is_taken() {
    // Self-signed, marked as a CA, the name only in the CN: `openssl req -new -x509 -subj /CN=db.internal`.
    let leaf = certificates::self_signed("db.internal");
    let server = Server::builder().tls(&leaf.certificate, &leaf.key, None).start().unwrap();
    let user = nobody();
    let root = user.file("server.crt", &leaf.certificate);
    let connect = |host: &str| {
        let password = server.password();
        let url = format!(
            "host={host} hostaddr=127.0.0.1 port={} user=postgres password={password} sslmode=verify-full sslrootcert={root}",
            server.port()
        );
        user.connect(&url)
    };
    assert_eq!(connect("db.internal").unwrap(), "postgres");
    assert!(told(&connect("other.internal").unwrap_err()).contains("not valid for name"));
}

#[test]
fn a_tenants_secret_logs_in_under_the_admins_root_certificates() {
    let it = encrypted();
    let ours = it.root("ours.crt");
    let admin_url = format!("postgresql://postgres@localhost/postgres?sslmode=verify-full&sslrootcert={ours}");
    let admin = nobody().find(Some(&admin_url));
    let secret = |host: &str| {
        let fields = SecretFields {
            username: "postgres".into(),
            schema: "public".into(),
            host: host.into(),
            port: it.server.port(),
            database: "postgres".into(),
            sslmode: Some(SslMode::Require),
        };
        let secret = Secret::new("acme", fields.clone(), it.server.password().into());
        admin.of_secret(&secret, &fields, false).connect().map(|_| ()).map_err(|error| told(&error))
    };
    assert_eq!(secret("localhost"), Ok(()));
    assert!(secret("127.0.0.1").unwrap_err().contains("not valid for name"));
}
