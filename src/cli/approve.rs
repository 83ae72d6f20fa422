//! The question that comes before anything is changed.

use std::io::{IsTerminal, Write};

use tenantry::Approved;

use super::args::ApproveArgs;
use super::failure::{Context, Failure};
use super::output::Output;

/// What a command asks, when what it would do has been shown.
pub struct Question {
    /// Its name.
    pub command: &'static str,
    pub words: &'static str,
    /// What to type where nobody can answer.
    pub hint: String,
}

/// Whether it may go on: told beforehand, or by the person at the terminal.
pub fn approved(
    args: ApproveArgs,
    question: &Question,
    place: &str,
    plan: &mut Approved,
    out: &mut Output,
) -> Result<bool, Failure> {
    if args.auto_approve {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::refused(
            format!("{} asks before it changes anything, but stdin is not a terminal", question.command),
            question.hint.as_str(),
        ));
    }
    // Whoever finds the lock taken is told what it waits for.
    plan.waits_for_an_answer(true)?;
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "\n{place}\n{} Only \"yes\" is accepted: ", question.words);
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).doing("reading the answer")?;
    plan.waits_for_an_answer(false)?;
    let approved = answer.trim() == "yes";
    if !approved {
        out.note("Nothing was changed.");
    }
    Ok(approved)
}
