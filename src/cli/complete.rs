//! `completions` and `man`.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;

pub fn completions(args: &CompletionsArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tenantry", &mut text);
    out.print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}

pub fn man(out: &mut Output) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    let pages = std::iter::once(command.clone()).chain(command.get_subcommands().cloned());
    for page in pages.filter(|page| page.get_name() != "help") {
        clap_mangen::Man::new(page).render(&mut text).map_err(Failure::of_stdout)?;
    }
    out.print(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Ok)
}
