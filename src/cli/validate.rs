//! `validate`: tenants.toml and the migrations, offline.

use tenantry::migrations::{MigrationFile, MigrationWarning, place};
use tenantry::render::escape::visible;
use tenantry::render::fold;
use tenantry::words::count;

use super::args::{Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::project;

/// Files beside the migrations that are named; JSON names all.
const NAMED: usize = 20;

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let tenantry = project::open(global, project::options(global))?;
    tenantry.targets_match()?;
    let (desired, not_run) = (tenantry.desired(), tenantry.not_run());
    let (tenants, migrations) = (desired.tenants.len(), desired.migrations.len());
    let warnings: Vec<_> = desired.migrations.iter().flat_map(warnings_of).collect();
    if out.format == Format::Json {
        let warnings: Vec<_> = warnings
            .iter()
            .map(|w| serde_json::json!({ "file": w.file, "line": w.line, "message": w.message }))
            .collect();
        let report = serde_json::json!({ "valid": true, "tenants": tenants, "migrations": migrations, "warnings": warnings, "not_run": not_run });
        out.print(&format!("{report:#}\n"))?;
        return Ok(Exit::Ok);
    }
    let warnings: Vec<_> = warnings.iter().map(|w| place(&w.file, w.line) + &w.message).collect();
    let shown = match out.verbose {
        true => warnings,
        false => fold::lines(warnings.iter().map(String::as_str)).into_iter().map(|(_, warning)| warning).collect(),
    };
    for warning in shown {
        out.finding(&format!("warning: {}", visible(&warning)));
    }
    if !not_run.is_empty() {
        let first: Vec<_> = not_run.iter().take(NAMED).map(|name| visible(name)).collect();
        let more = not_run.len() - first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        out.note(&format!("not migrations, so not run: {}{more}", first.join(", ")));
    }
    if desired.source.is_some() {
        out.note("the tenants that [source] query names are not known offline: tenantry plan asks it");
    }
    out.print(&format!(
        "{} is valid: {}, {}.\n",
        global.config.display(),
        count(tenants, "tenant"),
        count(migrations, "migration")
    ))?;
    Ok(Exit::Ok)
}

/// What the file's linter says, and where the linter stops: the statement may be right, or a typing error.
fn warnings_of(file: &MigrationFile) -> Vec<MigrationWarning> {
    let unknown = file.unknown.map(|line| MigrationWarning {
        file: file.file.clone(),
        line,
        message:
            "is not SQL that tenantry recognizes: the file is not checked from here on, and PostgreSQL has the last word"
                .into(),
    });
    file.warnings.iter().cloned().chain(unknown).collect()
}
