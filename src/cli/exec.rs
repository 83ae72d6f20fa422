//! `exec`: a program as a tenant, or as many.

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::os::unix::process::CommandExt;

use serde_json::json;
use tenantry::programs::{Ended, Ran};
use tenantry::render::escape::visible;
use tenantry::words::{count, few};
use tenantry::{Looked, Programs, render};

use super::args::{ExecArgs, Format, Global};
use super::exit::Exit;
use super::failure::{Context, Failure};
use super::output::Output;
use super::{interrupt, project};

pub fn run(global: &Global, args: &ExecArgs, out: &mut Output) -> Result<Exit, Failure> {
    let Some((program, arguments)) = args.command.split_first() else { return Ok(Exit::Usage) };
    let looked = project::open(global, project::options(global))?.look()?;
    match &args.tenant {
        Some(tenant) => one(looked, tenant, (program, arguments)),
        None => many(&looked, args, (program, arguments), out),
    }
}

/// Takes our place: signals, the terminal and the exit code are the program's own.
fn one(looked: Looked, tenant: &str, (program, arguments): (&OsString, &[OsString])) -> Result<Exit, Failure> {
    let mut command = looked.command(tenant, program)?;
    // The administrator's session ends before the tenant's program begins.
    drop(looked);
    let error = command.args(arguments).exec();
    // As env and nice do.
    let code = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
    let failure = Err::<(), _>(error).doing(format!("running {}", program.to_string_lossy()));
    let _ = writeln!(anstream::stderr(), "error: {}", failure.err().map(|f| f.to_string()).unwrap_or_default());
    Ok(Exit::Other(code))
}

fn many(
    looked: &Looked,
    args: &ExecArgs,
    (program, arguments): (&OsString, &[OsString]),
    out: &mut Output,
) -> Result<Exit, Failure> {
    interrupt::watch_programs();
    let tenants = looked.to_verify(&[])?;
    let width = tenants.iter().map(|tenant| tenant.key.as_str().len()).max().unwrap_or_default();
    let (in_json, quiet) = (out.format == Format::Json, out.quiet);
    let ran = looked.exec(&Programs {
        program,
        arguments,
        max_failures: args.max_failures,
        pressed: &interrupt::pressed_times,
        line: &|tenant, stderr, line| {
            let line = format!("{:width$} | {}\n", tenant.as_str(), visible(line));
            // With JSON, stdout is the report's. A reader that went away is none of the programs' business.
            let _ = if stderr || in_json {
                anstream::stderr().write_all(line.as_bytes())
            } else {
                anstream::stdout().write_all(line.as_bytes())
            };
        },
        each: &|ran| {
            if !quiet && !matches!(ran.ended, Ended::Skipped(_)) {
                let took = ran.took.as_secs_f32();
                let _ = writeln!(
                    anstream::stderr(),
                    "{:width$} : {} after {took:.1} s",
                    ran.tenant.as_str(),
                    words(&ran.ended)
                );
            }
        },
    })?;
    if in_json {
        out.print(&report(&ran))?;
    }
    tell(&ran, out);
    project::undeclared(looked, "left out", out);
    Ok(match () {
        () if interrupt::handle().is_stopped() => Exit::Interrupted,
        () if ran.iter().any(Ran::failed) => Exit::Failed,
        () => Exit::Ok,
    })
}

/// A program that could not be run may have met what a tenant wrote.
fn words(ended: &Ended) -> String {
    match ended {
        Ended::Exit(0) => "done".into(),
        Ended::Exit(code) => format!("failed with exit code {code}"),
        Ended::Signal(signal) => format!("ended by signal {signal}"),
        Ended::Failed(fault) => visible(&fault.message).into_owned(),
        Ended::Skipped(why) => format!("not started: {why}"),
    }
}

fn tell(ran: &[Ran], out: &mut Output) {
    let of = |wanted: &dyn Fn(&Ran) -> bool| ran.iter().filter(|ran| wanted(ran)).count();
    let is_skipped = |ran: &Ran| matches!(ran.ended, Ended::Skipped(_));
    let (failed, skipped) = (of(&Ran::failed), of(&is_skipped));
    let mut alike = std::collections::BTreeMap::<String, Vec<&str>>::new();
    for ran in ran.iter().filter(|ran| ran.ended != Ended::Exit(0)) {
        alike.entry(words(&ran.ended)).or_default().push(ran.tenant.as_str());
    }
    for (words, tenants) in alike {
        out.finding(&format!("{}: {words}", few(&tenants)));
    }
    out.note(&format!(
        "exec: {} done, {failed} failed, {skipped} not started",
        count(ran.len() - failed - skipped, "tenant")
    ));
}

fn report(ran: &[Ran]) -> String {
    let tenants: Vec<_> = ran
        .iter()
        .map(|ran| {
            let outcome = match ran.ended {
                Ended::Exit(0) => "succeeded",
                Ended::Skipped(_) => "skipped",
                _ => "failed",
            };
            let (mut code, mut signal, mut error) = (None, None, None);
            match &ran.ended {
                Ended::Exit(exit) => code = Some(exit),
                Ended::Signal(by) => signal = Some(by),
                Ended::Failed(fault) => {
                    error = Some(json!({ "message": fault.message, "sqlstate": fault.sqlstate, "hint": fault.hint }));
                }
                Ended::Skipped(why) => error = Some(json!({ "message": why, "sqlstate": null, "hint": null })),
            }
            json!({ "tenant": ran.tenant.as_str(), "outcome": outcome, "exit_code": code, "signal": signal, "error": error,
                "duration_ms": u64::try_from(ran.took.as_millis()).unwrap_or(u64::MAX) })
        })
        .collect();
    let of = |outcome: &str| tenants.iter().filter(|tenant| tenant["outcome"] == outcome).count();
    let summary = json!({ "succeeded": of("succeeded"), "failed": of("failed"), "skipped": of("skipped") });
    render::json::pretty(&json!({ "format_version": "1", "summary": summary, "tenants": tenants }))
}
