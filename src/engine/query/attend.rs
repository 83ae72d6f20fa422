//! One tenant, for no longer than it may take.
//!
//! The server's own limit does not hold against everybody: code that a view or a function of the tenant's runs may catch the
//! cancellation and go on, and a server may take a login and then say nothing. So each session has a thread, which is left to itself
//! when it does not end in time; it ends with the process at the latest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use postgres::CancelToken;

use super::ask::ask;
use super::question::Question;
use crate::core::rows::{Fault, Rows};
use crate::engine::database::{DatabaseError, Target};
use crate::engine::error::error_chain;

/// A login takes some milliseconds, and some seconds where many wait for one.
const LOGIN: Duration = Duration::from_secs(30);

/// What a server needs to hear of a cancellation and to say so.
const GRACE: Duration = Duration::from_secs(5);

/// How soon an interrupt is seen.
const LOOK: Duration = Duration::from_millis(100);

enum Event {
    LoggedIn(CancelToken),
    Done(Result<Rows, Fault>),
}

pub(super) fn attend(
    target: &Target,
    question: &Arc<Question>,
    of_all: &Arc<AtomicUsize>,
    stop: &AtomicBool,
) -> Result<Rows, Fault> {
    let (says, events) = mpsc::channel();
    let session = {
        let (target, question, of_all) = (target.clone(), Arc::clone(question), Arc::clone(of_all));
        move || drop(says.send(Event::Done(session(&target, &question, &of_all, &says))))
    };
    thread::Builder::new()
        .name("query".into())
        .spawn(session)
        .map_err(|error| fault(format!("starting a thread: {error}")))?;
    let mut until = Instant::now() + LOGIN;
    let (mut token, mut cancelled) = (None, false);
    loop {
        match events.recv_timeout(LOOK.min(until.saturating_duration_since(Instant::now()))) {
            Ok(Event::LoggedIn(of)) => {
                token = Some(of);
                // The server's own limit comes first.
                until = Instant::now() + question.timeout + GRACE;
            }
            Ok(Event::Done(done)) => return done,
            Err(RecvTimeoutError::Disconnected) => return Err(fault("its thread ended early".into())),
            Err(RecvTimeoutError::Timeout) => {
                let stopped = stop.load(Ordering::Relaxed);
                let late = Instant::now() >= until;
                match token.clone() {
                    Some(token) if !cancelled && (stopped || late) => {
                        cancelled = true;
                        until = Instant::now() + GRACE;
                        cancel(target, token);
                    }
                    None if stopped => return Err(fault("interrupted while logging in".into())),
                    None if late => return Err(fault(format!("the login took longer than {} s", LOGIN.as_secs()))),
                    Some(_) if late => return Err(abandoned(question, target)),
                    _ => {}
                }
            }
        }
    }
}

fn session(target: &Target, question: &Question, of_all: &AtomicUsize, says: &Sender<Event>) -> Result<Rows, Fault> {
    let mut client = target.connect().map_err(|error| Fault {
        message: error_chain(&error),
        sqlstate: error.sqlstate().map(str::to_owned),
        hint: error.hint().map(str::to_owned),
    })?;
    let token = client.cancel_token();
    let _ = says.send(Event::LoggedIn(token.clone()));
    ask((target, &mut client, &token), question, of_all).map_err(|error| said(&error, question))
}

/// On a connection of its own, which may hang as well.
fn cancel(target: &Target, token: CancelToken) {
    let target = target.clone();
    let _ = thread::Builder::new().name("cancel".into()).spawn(move || target.cancel(&token));
}

fn said(error: &DatabaseError, question: &Question) -> Fault {
    let sql = question.reading.sql();
    let place =
        error.server().and_then(|server| server.position.as_ref()).map(|position| position.line_and_column(sql));
    let message = match place {
        Some((line, column)) => format!("line {line}, column {column}: {error}"),
        None => error.to_string(),
    };
    let hint = match error.sqlstate() {
        Some("57014") => Some("more time: --timeout 5m".to_owned()),
        Some("25006") => Some("query only reads; exec runs a program as the tenant, psql among them".to_owned()),
        _ => error.hint().map(str::to_owned),
    };
    Fault { message, sqlstate: error.sqlstate().map(str::to_owned), hint }
}

fn abandoned(question: &Question, target: &Target) -> Fault {
    let seconds = question.timeout.as_secs_f32();
    let user = crate::core::model::literal(target.user());
    Fault {
        message: format!(
            "it did not end {seconds} s after it began, nor when it was cancelled: its session was left to itself"
        ),
        sqlstate: None,
        hint: Some(format!(
            "to end it: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {user} AND application_name = 'tenantry'"
        )),
    }
}

fn fault(message: String) -> Fault {
    Fault { message, sqlstate: None, hint: None }
}
