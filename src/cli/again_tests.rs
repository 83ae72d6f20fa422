//! Every command that a hint in the source names is one that the command line takes, as it is printed: completed, under
//! `--target`, and with the caller's other options.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::super::apply::with;
use super::super::args::{Cli, Command};
use super::Again;

/// What stands for a value in a text of the source: `{…}`, or a word in capitals.
const VALUE: &str = "1";

#[test]
fn every_command_in_a_hint_is_taken_as_it_is_printed() {
    let typed = ["tenantry", "-c", "it's.toml", "--target", "a*", "--parallelism", "2", "plan"];
    let again = Again::new(&Cli::try_parse_from(typed).unwrap().global);
    let mut found = 0;
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for command in text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(commands) {
            found += 1;
            let printed = again.complete(&command);
            let place = format!("{}: {printed}", file.display());
            let cli = Cli::try_parse_from(words(&printed)).unwrap_or_else(|error| panic!("{place}\n{error}"));
            assert_eq!(cli.global.config, Path::new("it's.toml"), "{place}");
            // What is said of the whole database, or of a saved plan, is refused with a target.
            let takes_none = match &cli.command {
                Command::Apply(args) => args.moved || args.plan.is_some(),
                Command::Plan(args) => args.moved,
                _ => false,
            };
            assert!(!takes_none || cli.global.target.is_empty(), "{place}");
            let is_narrower = match &cli.command {
                Command::Apply(args) => !args.moved && args.plan.is_none(),
                Command::Rotate(args) => args.which.tenants.is_empty(),
                _ => false,
            };
            assert!(!is_narrower || !cli.global.target.is_empty(), "more tenants than were meant: {place}");
        }
    }
    assert!(found > 40, "only {found} were found");
}

/// With every option there is, so that one that is added and forgotten here is missed.
#[test]
fn the_command_that_is_to_be_typed_again_is_the_one_that_was_typed_and_one_flag() {
    let typed = "tenantry apply saved --deep --moved --allow-removals 2 --allow-new-secrets 3 --allow-fleet-change secrets.path \
                 --allow-fleet-change defaults.schema --rename-history --max-failures 7 --lock-timeout 300s --auto-approve";
    let parsed = |words: &str| match Cli::try_parse_from(words.split(' ').filter(|word| !word.is_empty())) {
        Ok(Cli { command: Command::Apply(args), .. }) => args,
        other => panic!("{words}: {other:?}"),
    };
    let again = with(&parsed(typed), "--end-blockers");
    let mut wanted = parsed(typed);
    wanted.end_blockers = true;
    assert_eq!(format!("{:?}", parsed(&again)), format!("{wanted:?}"), "{again}");
    let more = parsed(&with(&parsed(typed), "--allow-removals 5"));
    assert_eq!((more.allow_removals, more.allow_new_secrets), (5, 3));
    assert_eq!(with(&parsed("tenantry apply"), "--end-blockers"), "tenantry apply --end-blockers");
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            None => files.extend(sources(&path)),
            Some(extension)
                if extension == "rs" && !path.ends_with("again.rs") && !path.ends_with("again_tests.rs") =>
            {
                files.push(path);
            }
            Some(_) => {}
        }
    }
    files
}

/// Those in a line of the source, up to where prose goes on.
fn commands(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("tenantry ") {
        let mut words = line[at..].split(' ');
        words.next();
        let Some(name) = words.next().map(end_of_word) else { continue };
        let is_a_command = <Cli as clap::CommandFactory>::command().find_subcommand(name.0).is_some();
        // In prose a sentence may be about the tool.
        let is_typed = line[..at].ends_with([':', '"', '`', ' ']) && !line[..at].ends_with("by ");
        if !is_a_command || !is_typed || super::WITHOUT_A_PROJECT.contains(&name.0) {
            continue;
        }
        let mut command = format!("tenantry {}", name.0);
        let mut ended = name.1;
        while let Some((word, last)) = words.next().filter(|_| !ended).map(end_of_word) {
            let is_a_value = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
            let stands_for_a_value = word.starts_with('{') || !word.is_empty() && word.chars().all(is_a_value);
            match word {
                option if option.starts_with('-') => command.push_str(&format!(" {option}")),
                _ if stands_for_a_value => command.push_str(&format!(" {VALUE}")),
                _ => break,
            }
            ended = last;
        }
        found.push(command);
    }
    found
}

/// The word without what ends it, and whether the command ends there.
fn end_of_word(word: &str) -> (&str, bool) {
    let end = word.find(['"', '`', ';', ',', ')', ':', '\\']).unwrap_or(word.len());
    (&word[..end], end < word.len())
}

/// As a POSIX shell takes them apart; of its quotes only those that we write.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in command.chars() {
        match c {
            _ if escaped => {
                words.last_mut().unwrap().push(c);
                escaped = false;
            }
            '\'' => quoted = !quoted,
            '\\' if !quoted => escaped = true,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
