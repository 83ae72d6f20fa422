//! A proxy between the tool and a server, for bad lines: slow, stalled, cut, or cut at a COMMIT, before or after it was done.
#![allow(dead_code)] // Each test binary uses a part.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

/// How bytes pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line {
    Open,
    /// Every piece, in either direction, waits so long.
    Slow(Duration),
    /// Nothing passes, and nobody is told.
    Stalled,
    /// A new connection ends at once.
    Closed,
}

/// What happens to the COMMIT of a tenant's transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The server never sees it.
    Commit,
    /// It is carried out, and the client never hears of it.
    Answer,
    /// It waits, with all that follows, until the line is mended.
    Held,
}

#[derive(Clone, Copy)]
struct Losses {
    loss: Loss,
    /// How many COMMITs still.
    left: u32,
    /// How the line is from then on.
    then: Line,
}

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    line: Mutex<Line>,
    losses: Mutex<Option<Losses>>,
    open: Mutex<Vec<[TcpStream; 2]>>,
    commits: AtomicU64,
}

/// The simple query that ends a transaction, whole: the driver sends it in one piece.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";
/// What apply asks in a tenant's transaction, and in no other, just before its COMMIT.
const MARK: &[u8] = b"pg_current_xact_id";

impl Proxy {
    /// In front of a server on this machine. Lives as long as the process.
    pub fn before(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            upstream,
            line: Mutex::new(Line::Open),
            losses: Mutex::new(None),
            open: Mutex::new(Vec::new()),
            commits: AtomicU64::new(0),
        });
        let accepting = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepting.connect(client);
            }
        });
        Self { port, shared }
    }

    pub fn line(&self, line: Line) {
        *self.shared.line.lock().unwrap() = line;
    }

    /// The next `count` COMMITs of tenants' transactions come to harm; each that is lost ends its connection.
    pub fn lose(&self, loss: Loss, count: u32, then: Line) {
        *self.shared.losses.lock().unwrap() = Some(Losses { loss, left: count, then });
    }

    /// As it should be again. Connections that are open stay.
    pub fn mend(&self) {
        *self.shared.losses.lock().unwrap() = None;
        self.line(Line::Open);
    }

    /// Ends every connection, on both sides at once.
    pub fn cut(&self) {
        for pair in self.shared.open.lock().unwrap().drain(..) {
            end(&pair);
        }
    }

    /// COMMITs of tenants' transactions seen so far.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }
}

fn end(pair: &[TcpStream; 2]) {
    for stream in pair {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        if *self.line.lock().unwrap() == Line::Closed {
            return;
        }
        // A server that is down: the client's connection ends at once.
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.upstream)) else { return };
        for stream in [&client, &server] {
            let _ = stream.set_nodelay(true);
        }
        let pair = || [client.try_clone().unwrap(), server.try_clone().unwrap()];
        self.open.lock().unwrap().push(pair());
        let deaf = Arc::new(AtomicBool::new(false));
        let (shared, [from, to], also_deaf) = (self.clone(), pair(), deaf.clone());
        thread::spawn(move || shared.requests(from, to, &also_deaf));
        let shared = self.clone();
        thread::spawn(move || shared.answers(server, client, &deaf));
    }

    /// Waits as the line is.
    fn pass(&self) {
        loop {
            let line = *self.line.lock().unwrap();
            match line {
                Line::Slow(time) => return sleep(time),
                Line::Stalled => sleep(Duration::from_millis(10)),
                Line::Open | Line::Closed => return,
            }
        }
    }

    fn requests(&self, mut client: TcpStream, mut server: TcpStream, deaf: &AtomicBool) {
        let mut buffer = [0; 64 * 1024];
        let mut tenants = false;
        while let Ok(count @ 1..) = client.read(&mut buffer) {
            let bytes = &buffer[..count];
            self.pass();
            tenants |= contains(bytes, MARK);
            if tenants && contains(bytes, COMMIT) {
                tenants = false;
                self.commits.fetch_add(1, Ordering::Relaxed);
                match self.next_loss() {
                    Some(Loss::Commit) => break,
                    Some(Loss::Answer) => deaf.store(true, Ordering::Release),
                    Some(Loss::Held) => self.pass(),
                    None => {}
                }
            }
            if server.write_all(bytes).is_err() {
                break;
            }
        }
        end(&[client, server]);
    }

    fn answers(&self, mut server: TcpStream, mut client: TcpStream, deaf: &AtomicBool) {
        let mut buffer = [0; 64 * 1024];
        while let Ok(count @ 1..) = server.read(&mut buffer) {
            self.pass();
            // What would be passed on is the answer to COMMIT: it was done.
            if deaf.load(Ordering::Acquire) || client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        end(&[client, server]);
    }

    fn next_loss(&self) -> Option<Loss> {
        let mut losses = self.losses.lock().unwrap();
        let next = losses.as_mut().filter(|losses| losses.left > 0)?;
        next.left -= 1;
        *self.line.lock().unwrap() = next.then;
        Some(next.loss)
    }
}
