//! The command line: one file per command. Output is on stdout, progress and logs on stderr.

mod add;
mod adopt;
mod again;
mod apply;
mod approve;
mod archive;
mod args;
mod complete;
mod copy;
mod drift;
mod exec;
mod exit;
mod failure;
mod flags;
mod init;
mod interrupt;
mod list;
mod output;
mod plan;
mod progress;
mod project;
mod query;
mod recover;
mod restore;
mod rotate;
mod sandbox;
mod show;
mod shown;
mod tables;
mod telling;
mod validate;
mod verify;
mod waiting;
mod write;

use args::Cli;
use exit::Exit;

use std::ffi::OsString;

use clap::Parser;

use args::Command;
use output::Output;

/// What stands before the last @ of an argument, and that, a URL in a wrong place say: it is not for a log.
fn password_in(argument: &OsString) -> Option<String> {
    let text = argument.to_string_lossy();
    let secret = &text[..text.rfind('@')?];
    // After the name of a flag, which helps.
    let from = secret.find("://").map_or(0, |at| at + 3);
    Some(secret[from..].to_owned() + "@").filter(|secret| secret.len() > 1)
}

/// Runs the command line; the first argument is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && args.iter().any(|arg| password_in(arg).is_some()) => {
            let said = args.iter().filter_map(password_in).fold(error.to_string(), |said, it| said.replace(&it, "…@"));
            let _ = std::io::Write::write_all(&mut anstream::stderr(), said.as_bytes());
            return Exit::Usage;
        }
        Err(error) => {
            // To stdout for --help and --version, to stderr for what makes no sense.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    if let Some(error) = cli.nonsense() {
        let _ = error.print();
        return Exit::Usage;
    }
    #[cfg(feature = "failpoints")]
    let _failpoints = tenantry::failpoint::set_up();
    output::start_logging(&cli.global);
    let mut out = Output::new(&cli.global);
    let waits = interrupt::handle();
    let silent = || waits.waits().iter().filter_map(|(what, begun)| waiting::line(what, *begun)).collect();
    let result = waiting::aloud(cli.global.quiet, silent, || match &cli.command {
        Command::Init(args) => init::run(&cli.global, args, &mut out),
        Command::Validate => validate::run(&cli.global, &mut out),
        Command::Add(args) => add::add(&cli.global, args, &mut out),
        Command::Forget(args) => add::forget(&cli.global, args, &mut out),
        Command::Plan(args) => plan::run(&cli.global, args, &mut out),
        Command::Apply(args) => apply::run(&cli.global, args, &mut out),
        Command::Drift(args) => drift::run(&cli.global, args, &mut out),
        Command::List => list::run(&cli.global, &mut out),
        Command::Show(args) => show::run(&cli.global, args, &mut out),
        Command::Rotate(args) => rotate::run(&cli.global, args, &mut out),
        Command::Adopt(args) => adopt::run(&cli.global, args, &mut out),
        Command::Verify(args) => verify::run(&cli.global, args, &mut out),
        Command::Query(args) => query::run(&cli.global, args, &mut out),
        Command::Exec(args) => exec::run(&cli.global, args, &mut out),
        Command::Archive(args) => archive::run(&cli.global, args, &mut out),
        Command::Restore(args) => restore::run(&cli.global, args, &mut out),
        Command::Copy(args) => copy::run(&cli.global, args, &mut out),
        Command::Recover => recover::run(&cli.global, &mut out),
        Command::Sandbox(args) => sandbox::run(&cli.global, args, &mut out),
        Command::Completions(args) => complete::completions(args, &mut out),
        Command::Man => complete::man(&mut out),
    });
    match result {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print(&cli.global);
            failure.exit()
        }
    }
}
