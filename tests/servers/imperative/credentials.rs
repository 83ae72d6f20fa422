//! What is returned opens the database, whatever the names and the password hold.

use tenantry::admin::{Advertise, SslMode};
use tenantry::sandbox::Server;

use super::*;
use crate::certificates::{Authority, Leaf};
use crate::postgres_server::target;

/// Every symbol that a generated password may have, and names that must be quoted and escaped.
#[test]
fn whatever_the_names_and_the_password_hold_the_string_connects() {
    for version in BOTH {
        let (_fleet, admin) = fleet(Admin::Superuser, version, "imp_odd");
        let every: String = ('!'..='~').collect();
        let given = [every.clone(), "naïve Ⅸ пароль".into(), " ".into(), "a@b:c/d?e#f%20g".into()];
        for (n, password) in given.into_iter().enumerate() {
            let names = (format!("Od {n} \"x\"; DROP é"), format!("od{n}@a/b:c% d'{}", version.major()));
            let config = TenantConfig { schema_name: names.0, username: names.1, password: password.clone() };
            let credentials = admin.create_tenant(config.clone()).unwrap();
            assert_eq!(credentials.password, password);
            assert!(credentials.connection_string.is_ascii(), "{}", credentials.connection_string);
            let mut client = connect(&credentials);
            let found = client.query_one("SELECT current_schema::text, current_user::text, user_count()", &[]).unwrap();
            assert_eq!((found.get(0), found.get(1), found.get(2)), (config.schema_name, config.username, 0_i64));
            assert!(!format!("{credentials:?}{credentials}").contains("naïve"));
            drop(client);
            let rotated = admin.rotate(&credentials.schema_name, &credentials.username, "").unwrap();
            assert!(postgres::Client::connect(&credentials.connection_string, postgres::NoTls).is_err());
            connect(&rotated);
            let chosen = admin.rotate(&credentials.schema_name, &credentials.username, &every).unwrap();
            assert_eq!(chosen.password, every);
            connect(&chosen);
            admin.remove_tenant(&credentials.schema_name, &credentials.username).unwrap();
        }
    }
}

#[test]
fn passwords_are_generated_of_the_characters_asked_for() {
    let (_fleet, admin) = fleet(Admin::Superuser, BOTH[0], "imp_chars");
    let plain = admin.clone().with_alphanumeric_passwords();
    let made = plain.create_tenant(config("ch_plain", "ch_plain_user")).unwrap();
    assert!(made.password.len() == 32 && made.password.bytes().all(|b| b.is_ascii_alphanumeric()));
    let made = admin.create_tenant(config("ch_any", "ch_any_user")).unwrap();
    assert!(made.password.len() == 32 && made.password.bytes().all(|b| b.is_ascii_graphic()));
}

/// A pooler's address, say.
#[test]
fn the_string_names_the_place_that_is_advertised() {
    let (fleet, admin) = fleet(Admin::Superuser, BOTH[0], "imp_adv");
    let port = fleet.database.server.port();
    let advertise =
        |host: &str, port| Advertise { host: Some(host.into()), port: Some(port), sslmode: Some(SslMode::Prefer) };
    for (host, port, said) in [("a:1", 5432, "advertise.host holds a port"), ("db", 0, "advertise.port is not between")]
    {
        let error = admin.clone().with_advertise(advertise(host, port)).unwrap_err();
        assert!(matches!(error, AdminError::InvalidConfig { .. }) && error.message().starts_with(said), "{error}");
    }
    let elsewhere = admin.clone().with_advertise(advertise("localhost", port)).unwrap();
    let place = |url: &str| url.split_once('@').unwrap().1.to_owned();
    let wanted = format!("localhost:{port}/{}?sslmode=prefer", fleet.database.name);
    let made = elsewhere.create_tenant(config("adv_one", "adv_one_user")).unwrap();
    assert_eq!(place(&made.connection_string), wanted);
    assert!(made.jdbc_url().unwrap().starts_with(&format!("jdbc:postgresql://{wanted}&user=")));
    target(&made.connection_string).connect().unwrap();
    assert_eq!(place(&elsewhere.rotate("adv_one", "adv_one_user", "").unwrap().connection_string), wanted);
    let here = admin.rotate("adv_one", "adv_one_user", "").unwrap().connection_string;
    assert!(place(&here).starts_with("127.0.0.1:") && here.ends_with("?sslmode=disable"), "{}", place(&here));
}

/// The certificates of the admin's machine are not the tenant's.
#[test]
fn the_string_wants_the_tls_that_a_projects_secret_wants() {
    let authority = Authority::new("our authority");
    let leaf = authority.issue(&Leaf::server(&["localhost"]));
    let server = Server::builder().tls(&leaf.certificate, &leaf.key, None).start().unwrap();
    let mut fleet = Fleet::usual(BOTH[0], "imp_tls");
    fleet.declare("tl-file = {}");
    let root = fleet.path("root.crt");
    std::fs::write(&root, &authority.certificate).unwrap();
    let verified = format!("sslmode=verify-full&sslrootcert={}", root.display());
    for (n, (parameters, wanted)) in
        [(&*verified, "require"), ("sslmode=allow", "disable"), ("", "require"), ("sslmode=disable", "disable")]
            .into_iter()
            .enumerate()
    {
        let (port, password) = (server.port(), server.password());
        fleet.url = format!("postgresql://postgres:{password}@localhost:{port}/postgres?{parameters}");
        let admin = DatabaseAdmin::new(&fleet.url).unwrap();
        let schema = format!("tl_{n}");
        let made = admin.create_tenant(config(&schema, &format!("{schema}_user"))).unwrap();
        fleet.apply();
        let end = |url: &str| url.split_once('@').unwrap().1.to_owned();
        let (of_program, of_file) =
            (end(&made.connection_string), end(fleet.secret("tl-file")["url"].as_str().unwrap()));
        assert_eq!(of_program, of_file);
        assert!(of_program.ends_with(&format!("?sslmode={wanted}")), "{of_program}");
        let mut client = target(&made.connection_string).connect().unwrap();
        let encrypted = ask(&mut client, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
        assert_eq!(encrypted == "t", wanted == "require");
    }
}
