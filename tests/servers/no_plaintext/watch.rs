//! What other users of the machine could see of the running programs: /proc/PID/cmdline, and for those of our own user
//! /proc/PID/environ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Program → every argument list and environment it was seen with.
pub type Seen = BTreeMap<String, BTreeSet<String>>;

pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Watch {
    /// Of the programs that work in this directory.
    pub fn begin(dir: PathBuf) -> Self {
        let (seen, over) = (Arc::new(Mutex::new(Seen::new())), Arc::new(AtomicBool::new(false)));
        let (of_thread, ends) = (Arc::clone(&seen), Arc::clone(&over));
        let watcher = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                look(&dir, &of_thread);
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { seen, over, watcher: Some(watcher) }
    }

    pub fn end(mut self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn look(dir: &PathBuf, seen: &Mutex<Seen>) {
    let Ok(place) = fs::metadata(dir) else { return };
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let path = process.path();
        // A program may end between any two of these.
        let Ok(cwd) = fs::metadata(path.join("cwd")) else { continue };
        if (cwd.dev(), cwd.ino()) != (place.dev(), place.ino()) {
            continue;
        }
        let Ok(exe) = fs::read_link(path.join("exe")) else { continue };
        let name = exe.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut seen = seen.lock().unwrap();
        for what in ["cmdline", "environ"] {
            let Ok(bytes) = fs::read(path.join(what)) else { continue };
            let text = String::from_utf8_lossy(&bytes).replace('\0', "\n");
            seen.entry(format!("{name} {what}")).or_default().insert(text);
        }
    }
}
