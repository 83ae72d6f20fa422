//! Commands that hints name, with what the caller's own command line said: without its `-c`, a command that is copied from a hint
//! would run on another project, and without its `--target` on other tenants.

use std::borrow::Cow;

use clap::CommandFactory;

use super::args::{Cli, Global};
use tenantry::plan::Document;
use tenantry::report::Report;

/// What a command of ours is to be repeated with.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// `-c FILE`, `--database-url URL` and `--parallelism N`, with a blank at the end.
    always: String,
    /// `--target GLOB …`, with a blank at the end.
    targets: String,
    /// The commands to complete; none where there is nothing to add.
    commands: Vec<String>,
}

/// Those that take `--target`, and are repeated with it when nothing else says which tenants are meant.
const OVER_TENANTS: [&str; 6] = ["adopt", "apply", "drift", "plan", "rotate", "verify"];

impl Again {
    pub fn new(global: &Global) -> Self {
        let mut always = String::new();
        if global.config.as_os_str() != "tenants.toml" {
            always.push_str(&format!("-c {} ", quoted(&global.config.to_string_lossy())));
        }
        match global.database_url.as_deref() {
            None => {}
            // The command goes to a log or a colleague; the word is no URL, so that a copy of it connects nowhere else.
            Some(url) if may_hold_a_password(url) => always.push_str("--database-url URL "),
            Some(url) => always.push_str(&format!("--database-url {} ", quoted(url))),
        }
        // Whoever said so has few connections to give.
        always.extend(global.parallelism.map(|n| format!("--parallelism {n} ")));
        let targets: String = global.target.iter().map(|glob| format!("--target {} ", quoted(glob))).collect();
        let mut commands = Vec::new();
        if !always.is_empty() || !targets.is_empty() {
            let all = Cli::command();
            let names = all.get_subcommands().map(clap::Command::get_name);
            commands.extend(names.filter(|name| !WITHOUT_A_PROJECT.contains(name)).map(str::to_owned));
        }
        Self { always, targets, commands }
    }

    /// The text with these words in every command of ours that it names.
    pub fn complete<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.commands.is_empty() || !text.contains(PROGRAM) {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len() + self.always.len());
        let mut rest = text;
        while let Some(at) = rest.find(PROGRAM) {
            let (before, after) = rest.split_at(at + PROGRAM.len());
            let is_a_word = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.'));
            let name: String = after.chars().take_while(|c| c.is_ascii_lowercase()).collect();
            out.push_str(before);
            rest = after;
            if is_a_word && self.commands.contains(&name) {
                out.push_str(&self.always);
                if OVER_TENANTS.contains(&name.as_str()) && says_not_whom(&after[name.len()..]) {
                    out.push_str(&self.targets);
                }
            }
        }
        out.push_str(rest);
        Cow::Owned(out)
    }

    /// The plan with its hints so.
    pub fn in_plan(&self, mut plan: Document) -> Document {
        if self.commands.is_empty() {
            return plan;
        }
        for hint in plan.tenants.iter_mut().filter_map(|tenant| tenant.hint.as_mut()) {
            *hint = self.complete(hint).into_owned();
        }
        for hint in plan.unseen.iter_mut().filter_map(|unseen| unseen.hint.as_mut()) {
            *hint = self.complete(hint).into_owned();
        }
        plan
    }

    /// The report with its hints so.
    pub fn in_report(&self, report: &Report) -> Report {
        let mut report = report.clone();
        let errors = report.outcomes.iter_mut().filter_map(|outcome| outcome.error.as_mut());
        for hint in errors.chain(report.shared_error.as_mut()).filter_map(|error| error.hint.as_mut()) {
            *hint = self.complete(hint).into_owned();
        }
        report
    }
}

/// Those that read no tenants.toml.
const WITHOUT_A_PROJECT: [&str; 3] = ["completions", "init", "man"];

const PROGRAM: &str = "tenantry ";

/// Whether what follows a command's name, up to the end of the command, names no tenants and no plan, and is not for all of them.
fn says_not_whom(rest: &str) -> bool {
    // Two commands of one hint stand apart by several blanks.
    let arguments = rest.split("   ").next().unwrap_or_default();
    let first = arguments.trim_start();
    // That a database has moved is said of all of its tenants.
    let is_for_all = arguments.contains("--target") || arguments.contains("--moved");
    !is_for_all && (first.is_empty() || first.starts_with("--") || !arguments.starts_with(' '))
}

/// libpq takes a password in many places: everything but a plain URL without one is kept back.
fn may_hold_a_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return true };
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains([':', '/', '?']) || rest.to_lowercase().contains("pass")
}

/// For a POSIX shell.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "again_tests.rs"]
mod commands;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn again(args: &[&str]) -> Again {
        Again::new(&Cli::try_parse_from(["tenantry"].iter().chain(args)).unwrap().global)
    }

    #[test]
    fn a_command_in_a_hint_keeps_the_callers_file_and_tenants() {
        let hint = "look with: tenantry plan   and do it with: tenantry apply --auto-approve";
        assert_eq!(again(&["apply"]).complete(hint), hint);
        assert_eq!(
            again(&["-c", "it's/a.toml", "apply", "--target", "a*", "--target", "b"]).complete(hint),
            r"look with: tenantry -c 'it'\''s/a.toml' --target 'a*' --target b plan   and do it with: tenantry -c 'it'\''s/a.toml' --target 'a*' --target b apply --auto-approve"
        );
        let few = again(&["apply", "--parallelism", "2"]).complete("tenantry apply --auto-approve");
        assert_eq!(few, "tenantry --parallelism 2 apply --auto-approve");
        let complete = |hint: &'static str| again(&["plan", "-c", "x.toml", "--target", "a*"]).complete(hint);
        assert_eq!(complete("tenantry apply --target acme"), "tenantry -c x.toml apply --target acme");
        assert_eq!(complete("tenantry apply saved.plan"), "tenantry -c x.toml apply saved.plan");
        let moved = "if it has moved there: tenantry apply --moved   if not: tenantry plan";
        assert_eq!(
            complete(moved),
            "if it has moved there: tenantry -c x.toml apply --moved   if not: tenantry -c x.toml --target 'a*' plan"
        );
        assert_eq!(complete("tenantry rotate --all"), "tenantry -c x.toml --target 'a*' rotate --all");
        assert_eq!(complete("tenantry rotate acme"), "tenantry -c x.toml rotate acme");
        assert_eq!(complete("tenantry list shows them"), "tenantry -c x.toml list shows them");
        assert_eq!(complete("take it over: tenantry adopt acme"), "take it over: tenantry -c x.toml adopt acme");
        assert_eq!(complete("create one with: tenantry init"), "create one with: tenantry init");
        for other in ["tenantry keeps its own tables", "my-tenantry plan", "schema tenantry"] {
            assert_eq!(complete(other), other);
        }
    }

    #[test]
    fn a_url_that_may_hold_a_password_is_not_repeated() {
        let complete = |url: &str| again(&["plan", "--database-url", url]).complete("tenantry plan").into_owned();
        assert_eq!(
            complete("postgresql://admin@db:5432/app"),
            "tenantry --database-url postgresql://admin@db:5432/app plan"
        );
        for url in [
            "postgresql://admin:hush@db/app",
            "postgresql://a:hush/x@b@db",
            "host=db password=hush",
            "postgresql://db/app?password=hush",
            "hush",
        ] {
            assert_eq!(complete(url), "tenantry --database-url URL plan");
        }
    }
}
