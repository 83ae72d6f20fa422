//! Servers that are sealed, gone, coming back, or not to be trusted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

use super::*;
use crate::openbao::Certificates;

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
    assert!(plain.to_string().contains("uses TLS; write https://"), "{plain}");
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

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// The next write is done, and the line cut before its answer.
    LoseAnswer,
    /// The next request gets this status instead of being passed on.
    Answer(u16),
}

/// Passes everything on, but for the faults in its list.
fn faulty_proxy(to: &str) -> (String, Arc<Mutex<Vec<Fault>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (to, faults) = (to.trim_start_matches("http://").to_owned(), Arc::new(Mutex::new(Vec::new())));
    let pending = Arc::clone(&faults);
    spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&to).unwrap());
            let pending = Arc::clone(&pending);
            spawn(move || {
                let mut buffer = [0; 65536];
                while let Ok(n @ 1..) = client.read(&mut buffer) {
                    let applies = |fault: &Fault| matches!(fault, Fault::Answer(_)) || buffer[..n].starts_with(b"POST");
                    let fault = {
                        let mut pending = pending.lock().unwrap();
                        if pending.last().is_some_and(applies) { pending.pop() } else { None }
                    };
                    if let Some(Fault::Answer(status)) = fault {
                        write!(client, "HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n").unwrap();
                        continue;
                    }
                    server.write_all(&buffer[..n]).unwrap();
                    let n = server.read(&mut buffer).unwrap();
                    if fault == Some(Fault::LoseAnswer) {
                        client.shutdown(Shutdown::Both).ok();
                        return;
                    }
                    client.write_all(&buffer[..n]).unwrap();
                }
            });
        }
    });
    (address, faults)
}

fn open_through(address: &str, mount: &str) -> VaultStore {
    let mut settings = settings(server(), mount, token(&server().token));
    settings.address = address.to_owned();
    let store = open_vault(settings).unwrap();
    store.preflight().unwrap();
    store
}

#[test]
fn a_busy_or_stumbling_server_is_asked_again_and_not_for_ever() {
    let (address, faults) = faulty_proxy(&server().address);
    let store = open_through(&address, &mount(2));
    for status in [429, 500, 502, 503] {
        faults.lock().unwrap().extend([Fault::Answer(status), Fault::Answer(status)]);
        assert!(matches!(store.read("acme").unwrap(), Found::Absent), "{status}");
        assert!(faults.lock().unwrap().is_empty());
    }
    faults.lock().unwrap().extend([Fault::Answer(429); 50]);
    let error = store.read("acme").unwrap_err();
    assert!(matches!(error, SecretError::Other { status: 429, .. }), "{error:?}");
}

#[test]
fn a_write_whose_answer_is_lost_is_recognised_as_done() {
    let (address, faults) = faulty_proxy(&server().address);
    for version in [None, Some("1")] {
        let mount = mount(2);
        let direct = store(&mount);
        if version.is_some() {
            direct.write("acme", &secret("acme", "old"), None).unwrap();
        }
        let store = open_through(&address, &mount);
        faults.lock().unwrap().push(Fault::LoseAnswer);
        let head = store.write("acme", &secret("acme", "new"), version).unwrap();
        assert!(faults.lock().unwrap().is_empty(), "the line was cut");
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
