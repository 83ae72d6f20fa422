//! Who listens and says nothing.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::{nobody, told};

/// Accepts every connection, answers a request for TLS with this byte if it is one, and then nothing any more.
fn listener(answer: Option<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if let Some(answer) = answer {
                // SSLRequest, eight bytes.
                let mut request = [0; 8];
                let _ = stream.read_exact(&mut request);
                let _ = stream.write_all(&[answer]);
            }
            open.push(stream);
        }
    });
    port
}

#[test]
fn connect_timeout_is_for_the_whole_login() {
    for (answer, mode) in
        [(None, "disable"), (None, "prefer"), (Some(b'N'), "prefer"), (Some(b'S'), "prefer"), (Some(b'S'), "require")]
    {
        let port = listener(answer);
        let begun = Instant::now();
        let url = format!("postgresql://a:b@127.0.0.1:{port}/d?connect_timeout=1&sslmode={mode}");
        let error = nobody().connect(&url).unwrap_err();
        let told = told(&error);
        assert!(told.contains("no answer within 1 s (connect_timeout)"), "{answer:?} {mode}: {told}");
        assert!(told.contains(&format!("127.0.0.1, port {port} does not answer")), "{told}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{answer:?} {mode}: {:?}", begun.elapsed());
    }
}

#[test]
fn the_next_host_is_tried_when_one_says_nothing() {
    let silent = listener(None);
    let server = super::plain();
    let url = format!(
        "postgresql://postgres:{}@127.0.0.1:{silent},127.0.0.1:{}/postgres?connect_timeout=1&sslmode=disable",
        server.password(),
        server.port()
    );
    assert_eq!(nobody().connect(&url).unwrap(), "postgres");
}

#[test]
fn programs_that_log_in_for_us_wait_no_longer_than_we_do() {
    let target = nobody().find(Some("host=h user=u dbname=d connect_timeout=7"));
    let environment = target.environment();
    let timeout = environment.iter().find(|(name, _)| *name == "PGCONNECT_TIMEOUT");
    assert_eq!(timeout.map(|(_, value)| secrecy::ExposeSecret::expose_secret(value)), Some("7"));
}
