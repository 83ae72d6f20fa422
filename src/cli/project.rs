//! The library's door, as the command line opens it.

use tenantry::{Environment, Options, Tenantry};

use super::args::Global;
use super::failure::Failure;
use super::interrupt;

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
