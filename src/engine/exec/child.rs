//! One program, from its start to its end.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use std::{io, thread};

use rustix::process::{Pid, Signal, kill_process_group};

use super::ended::Ended;

/// What is longer is printed in pieces.
const LONGEST_LINE: u64 = 64 << 10;

/// Lines that wait to be printed; more, and the program waits.
const WAITING: usize = 256;

/// How soon its end, or an interrupt, is seen.
const LOOK: Duration = Duration::from_millis(50);

/// A program that it left in the background may keep its output open for ever.
const AFTERWARDS: Duration = Duration::from_secs(2);

enum Event {
    Line { stderr: bool, line: String },
    Closed,
}

/// Runs it with nothing on stdin. `pressed`: how often somebody wanted it to end; each time it is told so more firmly.
pub(super) fn run(command: &mut Command, pressed: &dyn Fn() -> usize, line: &dyn Fn(bool, &str)) -> io::Result<Ended> {
    // A group of its own: Ctrl-C reaches it by us, once, and with it whatever it has started.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let (says, events) = sync_channel(WAITING);
    let mut open = 0;
    if let Some(stdout) = child.stdout.take() {
        read(stdout, false, says.clone())?;
        open += 1;
    }
    if let Some(stderr) = child.stderr.take() {
        read(stderr, true, says)?;
        open += 1;
    }
    let status = attend(&mut child, (&events, open), pressed, line)?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    })
}

fn attend(
    child: &mut Child,
    (events, mut open): (&Receiver<Event>, usize),
    pressed: &dyn Fn() -> usize,
    line: &dyn Fn(bool, &str),
) -> io::Result<ExitStatus> {
    let (mut told, mut ended) = (0, None);
    loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Line { stderr, line: text }) => line(stderr, &text),
            Ok(Event::Closed) => open -= 1,
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if ended.is_none() {
            ended = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        match ended {
            Some((status, at)) if open == 0 || at.elapsed() > AFTERWARDS => return Ok(status),
            Some(_) => {}
            None if pressed() > told => {
                told = pressed();
                tell(child, told);
            }
            None => {}
        }
    }
}

/// It may have ended a moment ago.
fn tell(child: &Child, times: usize) {
    let signal = match times {
        1 => Signal::INT,
        2 => Signal::TERM,
        _ => Signal::KILL,
    };
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

fn read(from: impl Read + Send + 'static, stderr: bool, says: SyncSender<Event>) -> io::Result<()> {
    let lines = move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(from.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line), Ok(1..)) {
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let text = String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).into_owned();
            if says.send(Event::Line { stderr, line: text }).is_err() {
                return;
            }
            line.clear();
        }
        let _ = says.send(Event::Closed);
    };
    thread::Builder::new().name("output".into()).spawn(lines).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn sh(script: &str, pressed: &dyn Fn() -> usize) -> (Ended, Vec<(bool, String)>) {
        let lines = Mutex::new(Vec::new());
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let ended = run(&mut command, pressed, &|stderr, line| lines.lock().unwrap().push((stderr, line.to_owned())));
        (ended.unwrap(), lines.into_inner().unwrap())
    }

    #[test]
    fn each_line_is_told_and_the_end_however_it_comes() {
        let (ended, mut lines) = sh("echo one; printf 'two'; echo three >&2; cat; exit 7", &|| 0);
        lines.sort();
        assert_eq!(ended, Ended::Exit(7));
        assert_eq!(lines, [(false, "one".into()), (false, "two".into()), (true, "three".into())]);
        assert_eq!(sh("kill -9 $$", &|| 0).0, Ended::Signal(9));
        let (_, lines) = sh("head -c 100000 /dev/zero | tr '\\0' x", &|| 0);
        assert_eq!(lines.iter().map(|(_, line)| line.len()).sum::<usize>(), 100_000);
    }

    #[test]
    fn it_is_told_to_end_more_firmly_each_time_and_what_it_leaves_behind_is_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(sh("sleep 60", &|| 1).0, Ended::Signal(2));
        assert_eq!(
            sh("trap '' INT; sleep 60", &|| if begun.elapsed().as_millis() > 500 { 2 } else { 1 }).0,
            Ended::Signal(15)
        );
        assert_eq!(sh("sleep 60 & echo x", &|| 0).0, Ended::Exit(0));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
