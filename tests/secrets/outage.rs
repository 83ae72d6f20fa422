//! Servers that are sealed, gone, coming back, or not to be trusted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{sleep, spawn};
use std::time::Duration;

use super::openbao::Certificates;
use super::*;

fn open(server: &OpenBao) -> VaultStore {
    open_vault(settings(server, "secret", token(&server.token))).unwrap()
}

#[test]
fn sealed_killed_and_back_again() {
    let mut server = OpenBao::durable(None);
    let store = open(&server);
    store.preflight().unwrap();
    store.write("tenants/acme", &secret("acme", "one"), None).unwrap();

    server.seal();
    for error in [store.preflight().unwrap_err(), store.read("tenants/acme").unwrap_err()] {
        assert!(matches!(error, SecretError::Sealed { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("operator unseal"));
    }
    server.unseal();
    readable(store.read("tenants/acme").unwrap());

    server.kill();
    for error in [store.preflight().unwrap_err(), store.read("tenants/acme").unwrap_err()] {
        let SecretError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
        assert!(source.to_string().contains("onnection refused"), "{source}");
        assert!(error.to_string().contains(&server.address) && error.hint().is_some());
    }
    server.start();
    assert!(matches!(store.preflight(), Err(SecretError::Sealed { .. })));
    server.unseal();
    let head = store.write("tenants/acme", &secret("acme", "two"), Some("1")).unwrap();
    assert_eq!(head.version, "2");
}

#[test]
fn a_server_that_is_not_initialized_says_so() {
    let server = OpenBao::blank(None);
    let store = open_vault(settings(&server, "secret", token("x"))).unwrap();
    for error in [store.preflight().unwrap_err(), store.read("tenants/acme").unwrap_err()] {
        assert!(matches!(error, SecretError::Uninitialized { .. }), "{error:?}");
    }
}

#[test]
fn a_certificate_is_trusted_only_by_its_authority_and_for_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(dir.path());
    let server = OpenBao::durable(Some(&certificates));
    let preflight = |change: &dyn Fn(&mut VaultSettings)| {
        let mut settings = settings(&server, "secret", token(&server.token));
        change(&mut settings);
        open_vault(settings).and_then(|store| {
            store.preflight()?;
            store.read("tenants/acme").map(drop)
        })
    };
    preflight(&|settings| settings.ca_cert = Some(certificates.ca.clone())).unwrap();
    preflight(&|settings| settings.skip_verify = true).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(&certificates.ca, directory.path().join("ours.pem")).unwrap();
    preflight(&|settings| settings.ca_path = Some(directory.path().to_owned())).unwrap();

    let untrusted = preflight(&|_| {}).unwrap_err();
    assert!(matches!(untrusted, SecretError::Tls { .. }), "{untrusted:?}");
    assert!(untrusted.hint().unwrap().contains("VAULT_CACERT"));

    let named = |name: &'static str| {
        preflight(&|settings| {
            settings.ca_cert = Some(certificates.ca.clone());
            settings.tls_server_name = Some(name.to_owned());
        })
    };
    named("vault.internal").unwrap();
    let misnamed = named("elsewhere.internal").unwrap_err();
    assert!(matches!(misnamed, SecretError::Tls { .. }), "{misnamed:?}");

    let plain = preflight(&|settings| settings.address = server.address.replace("https", "http")).unwrap_err();
    assert!(plain.to_string().contains("speaks TLS; say https://"), "{plain}");
    let missing = preflight(&|settings| settings.ca_cert = Some("nosuch.pem".into())).unwrap_err();
    assert!(matches!(missing, SecretError::Io { .. }), "{missing:?}");
}

#[test]
fn tls_towards_a_plain_server_is_no_trusted_connection() {
    let mut settings = settings(server(), "secret", token("x"));
    settings.address = settings.address.replace("http", "https");
    let error = open_vault(settings).unwrap().preflight().unwrap_err();
    assert!(matches!(error, SecretError::Tls { .. }), "{error:?}");
}

/// Passes everything on, but cuts the line after a write has been done and before its answer.
fn cutting_proxy(to: &str) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (to, cut) = (to.trim_start_matches("http://").to_owned(), Arc::new(AtomicBool::new(false)));
    let armed = Arc::clone(&cut);
    spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let armed = Arc::clone(&armed);
            spawn(move || {
                let mut buffer = [0; 65536];
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    let writes = buffer[..n].starts_with(b"POST") && armed.swap(false, Ordering::SeqCst);
                    server.write_all(&buffer[..n]).unwrap();
                    let n = server.read(&mut buffer).unwrap();
                    if writes {
                        client.shutdown(Shutdown::Both).ok();
                        return;
                    }
                    client.write_all(&buffer[..n]).unwrap();
                }
            });
        }
    });
    (address, cut)
}

#[test]
fn a_write_whose_answer_is_lost_is_recognised_as_done() {
    let (address, cut) = cutting_proxy(&server().address);
    for version in [None, Some("1")] {
        let mount = mount(2);
        let direct = store(&mount);
        if version.is_some() {
            direct.write("acme", &secret("acme", "old"), None).unwrap();
        }
        let mut settings = settings(server(), &mount, token(&server().token));
        settings.address = address.clone();
        let store = open_vault(settings).unwrap();
        store.preflight().unwrap();
        cut.store(true, Ordering::SeqCst);
        let head = store.write("acme", &secret("acme", "new"), version).unwrap();
        assert!(!cut.load(Ordering::SeqCst), "the line was cut");
        assert_eq!(head.version, if version.is_some() { "2" } else { "1" });
        assert_eq!(direct.heads(&["acme".into()]).unwrap()["acme"].managed_by.as_deref(), Some("tenantry"));
    }
}

#[test]
fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let mut server = OpenBao::dev();
    let store = open(&server);
    store.preflight().unwrap();
    server.kill();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| store.read("tenants/acme"));
        sleep(Duration::from_millis(200));
        server.start();
        assert!(matches!(reading.join().unwrap().unwrap(), Found::Absent));
    });
}
