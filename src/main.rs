//! The `tenantry` command. What it does is in the library; here is how it is typed and shown.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr))]

mod cli;

fn main() -> std::process::ExitCode {
    cli::run(std::env::args_os()).into()
}
