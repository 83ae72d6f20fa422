//! pg_dump and pg_restore connect as we do: encrypted, and with the server's certificate verified.

use std::sync::Arc;

use tenantry::sandbox::Server;

use super::project::{REMOVE, manifests};
use crate::certificates::{Authority, Leaf};
use crate::fleet::{Fleet, ask};
use crate::postgres_server::{TestDatabase, of_the_distribution, target};

#[test]
fn encryption_and_verification_carry_over() {
    let authority = Authority::new("our authority");
    let leaf = authority.issue(&Leaf::server(&["localhost"]));
    let server: Arc<Server> = Arc::new(
        Server::builder()
            .binaries(of_the_distribution())
            .tls(&leaf.certificate, &leaf.key, None)
            .hba("hostnossl all all all reject")
            .start()
            .unwrap(),
    );
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, authority: &Authority| {
        let path = files.path().join(name);
        std::fs::write(&path, &authority.certificate).unwrap();
        path.display().to_string()
    };
    let (ours, theirs) = (write("ours.crt", &authority), write("theirs.crt", &Authority::new("another authority")));
    let url = |root: &str| {
        let (port, password) = (server.port(), server.password());
        format!(
            "postgresql://postgres:{password}@localhost:{port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={root}\
             &channel_binding=require&ssl_min_protocol_version=TLSv1.3"
        )
    };
    target(&url(&ours)).connect_admin().unwrap();
    let mut fleet = Fleet::on(TestDatabase { name: "postgres".into(), url: url(&ours), server: server.clone() });
    fleet.migration("V1__users.sql", "CREATE TABLE users (email text);");
    fleet.head = "[defaults]\non_remove = \"archive\"\n".into();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), of_the_distribution().dir().to_string_lossy().into_owned());
    fleet.declare("tl-one = {}");
    fleet.apply();
    // Our own line is encrypted, so tenants' are to be; and a login with the secret is as strict as ours.
    assert!(fleet.secret("tl-one")["url"].as_str().unwrap().ends_with("?sslmode=require"));
    fleet.settled();
    fleet.execute("INSERT INTO tenant_tl_one.users VALUES ('kept')");
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    fleet.declare("tl-one = {}");
    let (path, _) = manifests(&fleet).pop().unwrap();
    fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
    assert_eq!(ask(&mut fleet.database.client(), "SELECT email FROM tenant_tl_one.users"), "kept");
    fleet.url = url(&theirs);
    fleet.run(&["archive", "tl-one"]).ends(1).says("certificate");
}
