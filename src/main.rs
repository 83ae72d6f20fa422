//! The `tenantry` command. Everything it does is in the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    tenantry::cli::run(std::env::args_os()).into()
}
