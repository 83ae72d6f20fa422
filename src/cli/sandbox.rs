//! `sandbox`: tenants.toml tried for real on a throw-away PostgreSQL: plan, apply, verify, plan again.

use std::path::Path;
use std::process::Command;

use tenantry::model::StoreKind;
use tenantry::render;
use tenantry::sandbox::{SandboxError, Server};
use tenantry::{Intent, Tenantry};

use super::args::{Format, Global, SandboxArgs};
use super::exit::Exit;
use super::failure::{Context, Failure};
use super::output::Output;
use super::{interrupt, project, shown, telling, verify};

pub fn run(global: &Global, args: &SandboxArgs, out: &mut Output) -> Result<Exit, Failure> {
    // Which must not end the process before the server and the secrets are deleted, however often.
    let stop = interrupt::handle();
    let _ = ctrlc::set_handler(move || stop.stop());
    let result = inside(global, args, out);
    if interrupt::handle().is_stopped() {
        out.note("sandbox: interrupted; everything is deleted");
        return Ok(Exit::Interrupted);
    }
    result
}

fn inside(global: &Global, args: &SandboxArgs, out: &mut Output) -> Result<Exit, Failure> {
    let project = Tenantry::open_for_sandbox(&global.config, &project::environment(), project::options(global))?;
    out.note("sandbox: starting a throw-away PostgreSQL");
    let server = Server::builder().start().map_err(refused)?;
    let tenantry = project.on(&server, args.configured_store);
    let (exit, credentials) = story(&tenantry, out)?;
    if exit != Exit::Ok {
        return Ok(exit);
    }
    if let Some(credentials) = credentials {
        out.note(&format!("sandbox: credentials are in {credentials}"));
    }
    out.note(&format!("sandbox: to connect as the admin: {}", server.psql_line()));
    let store = &tenantry.desired().secrets;
    let dir = (store.store == StoreKind::File).then_some(store.dir.as_path());
    match args.command.split_first() {
        None => Ok(Exit::Ok),
        Some((program, rest)) => command(program, rest, &server, &server.admin_url(), dir),
    }
}

/// plan, apply, verify, plan: the last one empty. With where the first tenant's credentials are.
fn story(tenantry: &Tenantry, out: &mut Output) -> Result<(Exit, Option<String>), Failure> {
    let planned = tenantry.lock()?.plan(Intent::Converge)?;
    // Nobody typed that address.
    out.talks_to(&planned.place().replace("(from --database-url)", "(the sandbox)"));
    if out.format != Format::Json {
        out.print(&shown::plan(planned.plan(), out))?;
    }
    let approved = planned.approve(&[])?;
    let tell: telling::Tell<'_> = &|plan, report, out| {
        if out.format != Format::Json {
            out.print(&out.again().complete(&render::report::text(report, &plan.document(), &out.style())))?;
        }
        Ok(match (report.is_success(), report.interrupted) {
            (false, _) => Exit::Failed,
            // An interrupt after the last tenant began fails none of them.
            (true, true) => Exit::Interrupted,
            (true, false) => Exit::Ok,
        })
    };
    let exit = telling::carry_out(approved, tell, out)?;
    if exit != Exit::Ok {
        return Ok((exit, None));
    }
    let mut looked = tenantry.look()?;
    let verdicts = verify::verify(&looked, &[], out)?;
    let verified = verify::report(&verdicts, &tenantry.desired().tenants, (None, &[]), out)?;
    let second = looked.plan()?;
    if out.format != Format::Json {
        out.print(&shown::plan(&second, out))?;
    }
    if !second.is_empty() {
        return Err(Failure::refused(
            "the second plan is not empty: what was applied is not what was declared",
            "this is a bug in tenantry; please report it with this tenants.toml",
        ));
    }
    let first = tenantry.desired().tenants.values().next();
    Ok((verified, first.map(|tenant| looked.locate(&tenant.secret_path))))
}

fn command(
    program: &std::ffi::OsStr,
    args: &[std::ffi::OsString],
    server: &Server,
    url: &str,
    secrets: Option<&Path>,
) -> Result<Exit, Failure> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("DATABASE_URL", url)
        .env("TENANTRY_DATABASE_URL", url)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", server.password())
        .env("PGDATABASE", "postgres");
    if let Some(dir) = secrets {
        command.env("TENANTRY_SECRETS_DIR", dir);
    }
    let status = command.status().doing(format!("running {}", program.to_string_lossy()))?;
    Ok(match status.code() {
        Some(0) => Exit::Ok,
        Some(code) => Exit::Other(u8::try_from(code).unwrap_or(1)),
        None => Exit::Failed,
    })
}

fn refused(error: SandboxError) -> Failure {
    let hint = error.hint().unwrap_or("see the message").to_owned();
    Failure::Refused { message: error.to_string(), hint }
}
