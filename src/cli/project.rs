//! The library's door, as the command line opens it.

use tenantry::words::few;
use tenantry::{Environment, Looked, Options, Tenantry};

use super::args::Global;
use super::failure::Failure;
use super::interrupt;
use super::output::Output;

/// What all commands say alike.
pub fn options(global: &Global) -> Options {
    Options {
        database_url: global.database_url.clone(),
        targets: global.target.clone(),
        parallelism: global.parallelism.map(usize::from),
        interrupt: interrupt::handle(),
        ..Options::default()
    }
}

pub fn open(global: &Global, options: Options) -> Result<Tenantry, Failure> {
    Ok(Tenantry::open(&global.config, &environment(), options)?)
}

/// The process's own.
pub fn environment() -> Environment {
    std::env::vars_os().collect()
}

/// Whom a command that does something for each tenant did it not for. `what` became of them: "not asked".
pub fn undeclared(looked: &Looked, what: &str, out: &mut Output) {
    for (origin, keys) in looked.undeclared() {
        let keys: Vec<&str> = keys.into_iter().map(|key| key.as_str()).collect();
        out.note(&format!("note: {what}, because {}: {}", origin.why_undeclared(), few(&keys)));
    }
}
