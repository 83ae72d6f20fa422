//! `sandbox`: tenants.toml tried for real on a throw-away PostgreSQL: plan, apply, verify, plan again.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::args::{Format, Global, SandboxArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::interrupt::STOP;
use super::output::Output;
use super::{apply, plan, session, verify};
use crate::core::model::StoreKind;
use crate::core::render;
use crate::engine::apply::Lock;
use crate::engine::error::Doing;
use crate::engine::inspect::Sizes;
use crate::engine::project::{Project, environment};
use crate::engine::sandbox::{SandboxError, Server};

pub fn run(global: &Global, args: &SandboxArgs, out: &mut Output) -> Result<Exit, Failure> {
    // Which must not end the process before the server and the secrets are deleted, however often.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    let result = inside(global, args, out);
    if STOP.load(Ordering::Relaxed) {
        out.note("sandbox: interrupted; everything is deleted");
        return Ok(Exit::Interrupted);
    }
    result
}

fn inside(global: &Global, args: &SandboxArgs, out: &mut Output) -> Result<Exit, Failure> {
    // Credentials of production have no business here: a variable that is not set gets a stand-in.
    let env = |name: &str| environment(name).or_else(|| Some(format!("sandbox-{name}")));
    let mut project = Project::load(&global.config, &env)?;
    out.note("sandbox: starting a throw-away PostgreSQL");
    let server = Server::builder().start().map_err(refused)?;
    if !args.configured_store {
        // Deleted with the server, also when this process is killed.
        project = project.with_secrets_in(Some(server.dir().join("secrets")));
    }
    project.desired.advertise = crate::core::model::Advertise::default();
    let url = server.admin_url();
    let sandbox = Global { database_url: Some(url.clone()), ..global.clone() };
    let mut session = session::open(&sandbox, project, session::Filter::new(&global.target)?)?;
    let exit = story(&sandbox, &mut session, out)?;
    if exit != Exit::Ok {
        return Ok(exit);
    }
    let store = session.project.desired.secrets.clone();
    if let Some(tenant) = session.project.desired.tenants.values().next() {
        out.note(&format!("sandbox: credentials are in {}", session.store.locate(&tenant.secret_path)));
    }
    out.note(&format!("sandbox: to connect as the admin: {}", server.psql_line()));
    drop(session);
    let dir = (store.store == StoreKind::File).then_some(store.dir.as_path());
    match args.command.split_first() {
        None => Ok(Exit::Ok),
        Some((program, rest)) => command(program, rest, &server, &url, dir),
    }
}

/// plan, apply, verify, plan: the last one empty.
fn story(global: &Global, session: &mut session::Session, out: &mut Output) -> Result<Exit, Failure> {
    let (observed, first) = session.plan()?;
    // Nobody typed that address.
    out.talks_to(&session.place(&observed).replace("(from --database-url)", "(the sandbox)"));
    if out.format != Format::Json {
        out.print(&plan::rendered(first.document(), out))?;
    }
    let lock = Lock::take(&mut session.client, &session.target, Duration::ZERO)?;
    let report = apply::carry_out(global, session, &lock, &observed, &first, apply::Limits::default(), out)?;
    if out.format != Format::Json {
        out.print(&out.again().complete(&render::report::text(&report, &first.document(), &out.style())))?;
    }
    if !report.is_success() {
        return Ok(Exit::Failed);
    }
    // An interrupt after the last tenant began fails none of them.
    if report.interrupted {
        return Ok(Exit::Interrupted);
    }
    let observed = session.observe(Sizes::Removed)?;
    let verdicts = verify::verify(global, session, &observed, &[], out)?;
    let verified = verify::report(session, &verdicts, None, &[], out)?;
    let (_, second) = session.plan()?;
    if out.format != Format::Json {
        out.print(&plan::rendered(second.document(), out))?;
    }
    if !second.is_empty() {
        return Err(Failure::refused(
            "the second plan is not empty: what was applied is not what was declared",
            "this is a bug in tenantry; please report it with this tenants.toml",
        ));
    }
    Ok(verified)
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
