//! What stops the server and deletes its files when this process is killed.
//!
//! PR_SET_PDEATHSIG would do it at the end of the thread that started the server, which in tests is far too early.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::error::{SandboxError, io};
use super::owner::Owner;

/// Reads the server's number, and waits for the end of its input, which is the end of our process. It runs as the server's
/// user: it can end nothing that is not that user's, whatever became of the number. A server that has ended may stay a
/// zombie where nobody waits for it; its file is gone.
const KILLER: &str = r#"
trap '' HUP INT TERM
pid=
while read -r said; do [ "$said" = end ] && exit 0; pid=$said; done
[ -n "$pid" ] || exit 0
kill -QUIT "$pid" || exit 0
for _ in $(seq 100); do [ -e "$1" ] && kill -0 "$pid" || exit 0; sleep 0.05; done
kill -KILL "$pid"
"#;

/// Waits for the end of the other one. It runs as us, who own the directory.
const REMOVER: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
rm -rf -- "$1"
"#;

pub(super) struct Guard {
    killer: Child,
    remover: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    /// Deletes `root` at the end of this process, once the server whose `status_file` this is has ended.
    pub(super) fn start(owner: Owner, root: &Path, status_file: &Path) -> Result<Self, SandboxError> {
        let mut killer = owner.command("sh", Path::new("/"));
        killer.args(["-c", KILLER, "sh"]).arg(status_file);
        killer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut killer = killer.spawn().map_err(io("start sh"))?;
        let (input, ended) = (killer.stdin.take(), killer.stdout.take());
        let mut remover = Command::new("sh");
        remover.args(["-c", REMOVER, "sh"]).arg(root).current_dir("/").process_group(0);
        remover.stdin(ended.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { killer, remover: remover.spawn().map_err(io("start sh"))?, input })
    }

    /// Where a server writes its number before it begins.
    pub(super) fn told(&self) -> Result<Stdio, SandboxError> {
        use std::os::fd::AsFd;
        let Some(input) = &self.input else { return Ok(Stdio::null()) };
        input.as_fd().try_clone_to_owned().map(Stdio::from).map_err(io("start sh"))
    }

    /// The server is stopped by us: its number will be another process's.
    pub(super) fn forget(&mut self) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(b"\n"); // A guard that is gone guards nothing.
        }
    }

    /// Once everything is deleted.
    pub(super) fn end(&mut self) {
        // A child that was forked has the input too, so that this is not the end of it.
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"end\n");
        }
        let _ = self.killer.wait();
        let _ = self.remover.wait();
    }
}
